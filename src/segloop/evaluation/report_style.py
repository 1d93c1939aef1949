"""The style sheet of the report; it stands in the page, which loads nothing."""

CSS = """
:root { --ink: #1d2329; --soft: #5c6773; --rule: #dfe3e8; --panel: #f6f7f9; --accent: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 32px 28px 48px; color: var(--ink); background: #fff;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans",
    Arial, sans-serif; }
h1 { margin: 0; font-size: 27px; line-height: 1.2; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { margin: 40px 0 12px; padding-bottom: 6px; font-size: 18px; border-bottom: 1px solid var(--rule); }
p { margin: 6px 0 14px; max-width: 120ch; }
.soft { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(230px, 1fr)); gap: 14px;
  margin: 22px 0 26px; }
.card { padding: 14px 18px; background: var(--panel); border-radius: 10px; }
.card b { display: block; font-size: 30px; font-weight: 650; line-height: 1.25;
  font-variant-numeric: tabular-nums; }
.card span { display: block; color: var(--soft); font-size: 13px; }
.side { display: grid; grid-template-columns: repeat(auto-fill, minmax(400px, 1fr)); gap: 28px;
  align-items: start; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 10px; text-align: right; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { padding-left: 0; text-align: left; }
th { vertical-align: bottom; color: var(--soft); font-size: 13px; font-weight: 600; }
th.text, td.text { text-align: left; }
td.main { font-weight: 650; }
td.interval { color: var(--soft); font-size: 13px; white-space: nowrap; }
figure { margin: 0; }
.chart svg { display: block; width: 100%; height: auto; }
.chart text { font-family: inherit; fill: var(--soft); font-size: 12px; }
.chart .label { fill: var(--ink); font-size: 13px; }
.chart .grid { stroke: #e8ebef; }
.chart .axis { stroke: #8c96a1; fill: none; }
.chart .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.legend { display: flex; max-width: none; color: var(--soft);
  flex-wrap: wrap; gap: 4px 18px; font-size: 13px; }
.chart .legend { padding: 4px 0 0 58px; }
.legend i { display: inline-block; width: 14px; height: 14px; margin-right: 6px; vertical-align: -2px;
  border-radius: 3px; }
.chart .legend i { height: 4px; vertical-align: 4px; border-radius: 2px; }
.legend i.ring { background: #111418; border: 2px solid #fff; box-shadow: 0 0 0 1px #8c96a1; }
.sample { margin: 22px 0 30px; break-inside: avoid; }
.sample h3 { margin: 0 0 8px; font-size: 15px; overflow-wrap: anywhere; }
.sample h3 span { margin-left: 10px; font-weight: 400; color: var(--soft); }
.views { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 10px; margin-bottom: 12px; }
.views figcaption { margin-bottom: 4px; color: var(--soft); font-size: 13px; }
.views img { display: block; width: 100%; max-height: 420px; object-fit: contain; object-position: top;
  background: #111418; border-radius: 4px; }
.views img.enlarged { image-rendering: pixelated; }
.views .none { display: grid; place-items: center; aspect-ratio: 1; color: var(--soft); font-size: 13px;
  background: var(--panel); border-radius: 4px; }
ul.problems { padding-left: 20px; }
ul.problems li { margin: 4px 0; overflow-wrap: anywhere; }
details { margin-top: 40px; border: 1px solid var(--rule); border-radius: 8px; }
summary { padding: 10px 16px; cursor: pointer; font-weight: 600; }
pre { margin: 0; padding: 4px 16px 16px; font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
@media (max-width: 700px) { .views { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .side { grid-template-columns: 1fr; } body { padding: 20px 16px; } }
@media print { body { max-width: none; padding: 0; font-size: 12px; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } h2 { break-after: avoid; } }
"""
