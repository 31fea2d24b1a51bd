// A small MFE to try the package in: two pages with a slot each, and the LMS of config.json behind them.
import React from 'react';
import { createRoot } from 'react-dom/client';
import {
  APP_INIT_ERROR, APP_READY, getConfig, initialize, mergeConfig, subscribe,
} from '@edx/frontend-platform';
import { getLocale } from '@edx/frontend-platform/i18n';
import { AppProvider } from '@edx/frontend-platform/react';
import { PluginSlot } from '@openedx/frontend-plugin-framework';
import { Container, Form } from '@openedx/paragon';

// A host knows its own texts, and none of a plugin's.
const TEXTS = {
  en: {
    account: 'Account settings',
    country: 'Country',
    dashboard: 'My courses',
    enrolled: 'You are enrolled in 2 courses.',
    pages: 'Pages',
    profile: 'Profile information',
    sidebar: 'Sidebar',
  },
  'es-419': {
    account: 'Configuración de la cuenta',
    country: 'País',
    dashboard: 'Mis cursos',
    enrolled: 'Tienes 2 cursos.',
    pages: 'Páginas',
    profile: 'Información del perfil',
    sidebar: 'Barra lateral',
  },
  ar: {
    account: 'إعدادات الحساب',
    country: 'البلد',
    dashboard: 'مقرراتي',
    enrolled: 'لديك مقرران.',
    pages: 'الصفحات',
    profile: 'معلومات الملف الشخصي',
    sidebar: 'الشريط الجانبي',
  },
};
const PAGES = ['account', 'dashboard'];
const text = (name) => TEXTS[getLocale()][name];
const page = window.location.pathname.endsWith('/account.html') ? 'account' : 'dashboard';

// The slots are in the places that the account MFE and the learner dashboard have for them.
const AccountPage = () => (
  <Container size="md" className="py-4">
    <h1 className="mb-4">{text('account')}</h1>
    <h2 className="h4">{text('profile')}</h2>
    <Form.Group controlId="host-country">
      <Form.Label>{text('country')}</Form.Label>
      <Form.Control autoComplete="country-name" defaultValue="US" />
    </Form.Group>
    <PluginSlot
      id="org.openedx.frontend.account.additional_profile_fields.v1"
      pluginProps={{
        updateUserProfile: () => { throw new Error('A refusal would end the page.'); },
        refreshUserProfile: () => { throw new Error('This would take the fields off the page.'); },
      }}
    />
  </Container>
);

const DashboardPage = () => (
  <Container size="xl" className="py-4">
    <h1 className="mb-4">{text('dashboard')}</h1>
    <div className="row">
      <div className="col-12 col-lg-8"><p>{text('enrolled')}</p></div>
      <aside className="col-12 col-lg-4" aria-label={text('sidebar')}>
        <PluginSlot id="org.openedx.frontend.learner_dashboard.widget_sidebar.v1" />
      </aside>
    </div>
  </Container>
);

const Host = () => (
  <AppProvider>
    <header className="border-bottom px-4 py-3">
      <nav aria-label={text('pages')}>
        {PAGES.map((name) => (
          <a key={name} className="d-inline-block mr-4 py-1" href={`${name}.html`}>{text(name)}</a>
        ))}
      </nav>
    </header>
    <main>{page === 'account' ? <AccountPage /> : <DashboardPage />}</main>
  </AppProvider>
);

const root = createRoot(document.getElementById('root'));
subscribe(APP_READY, () => { document.title = text(page); root.render(<Host />); });
subscribe(APP_INIT_ERROR, (topic, error) => { root.render(<main><p role="alert">{error.message}</p></main>); });

fetch('config.json').then((response) => response.json()).then((config) => {
  const lms = config.LMS_BASE_URL;
  initialize({
    requireAuthenticatedUser: true,
    messages: { ar: {}, 'es-419': {} },
    handlers: {
      config: () => mergeConfig({
        ACCESS_TOKEN_COOKIE_NAME: 'edx-jwt-cookie-header-payload',
        BASE_URL: window.location.origin,
        CSRF_TOKEN_API_PATH: '/csrf/api/v1/token',
        LANGUAGE_PREFERENCE_COOKIE_NAME: 'openedx-language-preference',
        LOGIN_URL: `${lms}/login`,
        LOGOUT_URL: `${lms}/logout`,
        REFRESH_ACCESS_TOKEN_ENDPOINT: `${lms}/login_refresh`,
        SITE_NAME: getConfig().SITE_NAME || 'Host page',
        ...config,
      }),
    },
  });
});
