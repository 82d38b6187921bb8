import { createTheme, Modal } from '@mantine/core';

/** Shades whose text reads well on them, and on light and dark alike. */
export const theme = createTheme({
  primaryColor: 'indigo',
  primaryShade: { light: 8, dark: 7 },
  defaultRadius: 'md',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif',
  headings: { fontWeight: '650' },
  cursorType: 'pointer',
  components: {
    Modal: Modal.extend({
      defaultProps: {
        closeButtonProps: { 'aria-label': 'Close' },
        // The page has its header already; that of a dialog is none of the page.
        attributes: { header: { role: 'presentation' } },
      },
    }),
  },
});
