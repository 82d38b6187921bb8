import {
  ActionIcon,
  AppShell,
  Burger,
  Group,
  ScrollArea,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useEffect } from 'react';
import { Link, useLocation } from 'wouter';
import iconUrl from './icon.svg';
import { Pages } from './pages/pages.js';
import { useCaller, useMay, type Role } from './service/use-caller.js';

interface Entry {
  title: string;
  to: string;
  role?: Role;
}
/** The menu, in groups. */
const MENU: readonly { group?: string; entries: readonly Entry[] }[] = [
  { entries: [{ title: 'Overview', to: '/' }] },
  {
    group: 'Models',
    entries: [
      { title: 'Models', to: '/models' },
      { title: 'Rollouts', to: '/rollouts' },
      { title: 'Experiments', to: '/experiments' },
    ],
  },
  {
    group: 'Work',
    entries: [
      { title: 'Jobs', to: '/jobs' },
      { title: 'Runs', to: '/runs' },
      { title: 'Sweeps', to: '/sweeps' },
      { title: 'Schedules', to: '/schedules' },
    ],
  },
  {
    group: 'Data',
    entries: [
      { title: 'Datasets', to: '/datasets' },
      { title: 'Quality', to: '/quality' },
      { title: 'Features', to: '/features' },
    ],
  },
  {
    group: 'Watch',
    entries: [
      { title: 'Alerts', to: '/alerts' },
      { title: 'Repairs', to: '/repairs' },
      { title: 'Drift', to: '/drift' },
      { title: 'Performance', to: '/performance' },
    ],
  },
  {
    group: 'Service',
    entries: [
      { title: 'Audit', to: '/audit', role: 'admin' },
      { title: 'Settings', to: '/settings' },
    ],
  },
];

/** The frame around every page. */
export function App() {
  const [isMenuOpen, menu] = useDisclosure(false);
  const [location] = useLocation();
  useEffect(() => menu.close(), [location]);
  return (
    <>
      <a className="skip" href="#content">
        Skip to the content
      </a>
      <AppShell
        header={{ height: 56 }}
        navbar={{ width: 220, breakpoint: 'sm', collapsed: { mobile: !isMenuOpen } }}
        padding={{ base: 'sm', sm: 'xl' }}
      >
        <AppShell.Header>
          <Group h="100%" px="md" justify="space-between" wrap="nowrap">
            <Group gap="sm" wrap="nowrap">
              <Burger
                opened={isMenuOpen}
                onClick={menu.toggle}
                hiddenFrom="sm"
                size="sm"
                aria-label="Menu"
                aria-expanded={isMenuOpen}
              />
              <Link href="/" className="brand">
                <img src={iconUrl} width={28} height={28} alt="" />
                ML Pipeline
              </Link>
            </Group>
            <Group gap="sm" wrap="nowrap">
              <CallerName />
              <SchemeToggle />
            </Group>
          </Group>
        </AppShell.Header>
        <AppShell.Navbar p="xs" aria-label="Pages">
          <ScrollArea>
            <Menu location={location} />
          </ScrollArea>
        </AppShell.Navbar>
        <AppShell.Main id="content">
          <Pages />
        </AppShell.Main>
      </AppShell>
    </>
  );
}

function Menu({ location }: { location: string }) {
  const isAdmin = useMay('admin');
  const isHere = (to: string) => (to === '/' ? location === '/' : location === to || location.startsWith(`${to}/`));
  return MENU.map(({ group, entries }) => (
    <div key={group ?? 'first'}>
      {group && <div className="nav-group">{group}</div>}
      {entries
        .filter(({ role }) => role !== 'admin' || isAdmin)
        .map(({ title, to }) => (
          <Link key={to} href={to} className="nav-link" aria-current={isHere(to) ? 'page' : undefined}>
            {title}
          </Link>
        ))}
    </div>
  ));
}

function CallerName() {
  const caller = useCaller();
  return caller ? (
    <Link href="/settings" className="nav-link caller">
      {caller.subject} ({caller.role})
    </Link>
  ) : null;
}

function SchemeToggle() {
  const { setColorScheme } = useMantineColorScheme();
  const isDark = useComputedColorScheme('light') === 'dark';
  return (
    <ActionIcon
      variant="default"
      size="lg"
      aria-label={isDark ? 'Light colours' : 'Dark colours'}
      onClick={() => setColorScheme(isDark ? 'light' : 'dark')}
    >
      <svg
        width="18"
        height="18"
        viewBox="0 0 24 24"
        fill="none"
        stroke="currentColor"
        strokeWidth="2"
        aria-hidden="true"
      >
        {isDark ? (
          <path d="M12 3v2m0 14v2M3 12h2m14 0h2M5.6 5.6l1.4 1.4m10 10l1.4 1.4m0-12.8L17 7M7 17l-1.4 1.4M12 8a4 4 0 100 8 4 4 0 000-8z" />
        ) : (
          <path d="M20 14.5A8 8 0 119.5 4a6.5 6.5 0 0010.5 10.5z" />
        )}
      </svg>
    </ActionIcon>
  );
}
