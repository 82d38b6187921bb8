/** The colours of all plots and of the page; each pair of text and ground has a contrast of 4.5 or more. */
const LIGHT = `--page:#f5f6f8;--card:#fff;--ink:#1b1f24;--muted:#5b6470;--grid:#e3e6ea;--line:#d5d9df;
--c1:#0b63b0;--c2:#bd4d00;--c3:#0a7a66;--c4:#98368a;--c5:#6f6100;--c6:#5146c2;--bad:#c0182b;--good:#18783a;--note:#fff4d6;`;
const DARK = `--page:#14171b;--card:#1d2126;--ink:#e8eaed;--muted:#a3abb6;--grid:#31373f;--line:#3a414a;
--c1:#6cb2ff;--c2:#ffa05c;--c3:#4fd1b5;--c4:#ee8fd8;--c5:#d9c84a;--c6:#aca6ff;--bad:#ff7b86;--good:#67d48a;--note:#3a3214;`;

/** One style sheet for screen, phone and paper; light or dark as the reader's system is. */
export const PAGE_STYLE = `
:root{color-scheme:light dark;${LIGHT}}
@media (prefers-color-scheme:dark){:root{${DARK}}}
@media print{:root{color-scheme:light;${LIGHT}--page:#fff}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1100px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:40px 0 4px;overflow-wrap:anywhere}
h3{font-size:1rem;margin:0;overflow-wrap:anywhere}
p{margin:6px 0;max-width:75ch;overflow-wrap:anywhere}
.of{color:var(--muted)}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:16px;margin:16px 0 0;min-width:0}
.summary{margin:0;padding-left:20px}
.summary li{margin:4px 0;overflow-wrap:anywhere}
.warnings{background:var(--note)}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,220px),1fr));gap:10px 24px;margin:0}
dt{color:var(--muted);font-size:.85rem}
dd{margin:0;overflow-wrap:anywhere}
nav ul{display:flex;flex-wrap:wrap;gap:4px 18px;list-style:none;padding:0;margin:16px 0 0}
a{color:var(--c1)}
.plots{display:grid;grid-template-columns:minmax(0,1fr);gap:16px;margin-top:16px;align-items:start}
.plots>.card{margin:0}
@media (min-width:900px){.plots{grid-template-columns:repeat(2,minmax(0,1fr))}
.plots>figure:last-child:nth-child(odd){grid-column:1/-1;display:grid;grid-template-columns:repeat(2,minmax(0,1fr));grid-template-rows:auto auto 1fr;column-gap:32px}
.plots>figure:last-child:nth-child(odd)>svg{grid-column:2;grid-row:1/4}}
figure.card{break-inside:avoid}
figcaption p{font-size:.875rem;color:var(--muted)}
svg{display:block;width:100%;max-width:560px;height:auto;margin:6px auto 0}
.legend{display:flex;flex-wrap:wrap;gap:2px 16px;list-style:none;padding:0;margin:6px 0 0;font-size:.875rem}
.legend li{display:flex;align-items:center;gap:6px;min-width:0;overflow-wrap:anywhere}
.legend svg{flex:none;width:22px;height:12px;margin:0}
.empty{border:1px dashed var(--line);border-radius:6px;padding:28px 16px;margin:12px 0 0;text-align:center;color:var(--muted)}
details{margin-top:10px;font-size:.875rem}
summary{cursor:pointer;color:var(--c1)}
.wide{overflow-x:auto;margin-top:8px}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums;min-width:min(100%,420px)}
th,td{text-align:left;padding:4px 16px 4px 0;border-bottom:1px solid var(--grid);vertical-align:top}
td{max-width:52ch;overflow-wrap:break-word}
th{color:var(--muted);font-weight:600}
.number{text-align:right;white-space:nowrap}
.note{color:var(--muted);font-size:.875rem}
footer{margin-top:48px;color:var(--muted);font-size:.875rem}
@media (max-width:480px){main{padding:16px 8px 48px}.card{padding:12px}}
@media print{main{max-width:none;padding:0}.card{border-color:#bbb}details:not([open]){display:none}nav{display:none}h2,h3{break-after:avoid}.plots{grid-template-columns:1fr 1fr}}
`;
