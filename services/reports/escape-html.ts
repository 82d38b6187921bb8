const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Any text as text of HTML or as a quoted attribute. */
export function escapeHtml(text: string): string {
  return dropControls(text).replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** Without the control characters that no HTML may hold. */
export function dropControls(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufffe\uffff]/g, '');
}
