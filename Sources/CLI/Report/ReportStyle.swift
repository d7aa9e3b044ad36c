/// How the page looks: light and dark, on paper and on a phone. No font, picture or script comes from anywhere.
enum ReportStyle {
  static let css = """
    :root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--soft:#57606a;--line:#d5dae0;--card:#f5f7f9;--good:#1a7f37;--bad:#b42318;
    --open:#0b5cad;--undone:#8a5a00;--idle:#6b7580;--away:#f8d3cf;--awayink:#b42318;--upfill:#e4f3e8;--mark:#fff3d6;--link:#0b5cad}
    @media (prefers-color-scheme:dark){:root{--bg:#12161b;--fg:#e6e9ed;--soft:#a3adb8;--line:#323a44;--card:#1a2027;--good:#56c271;
    --bad:#ff8a7d;--open:#6cb2ff;--undone:#e0ad4e;--idle:#8d98a5;--away:#4d2220;--awayink:#ff8a7d;--upfill:#16301e;--mark:#3a3115;
    --link:#6cb2ff}}
    *{box-sizing:border-box}
    body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
    main{max-width:64rem;margin:0 auto;padding:1.25rem 1rem 3rem}
    h1{font-size:1.5rem;line-height:1.25;margin:.2rem 0 .6rem;overflow-wrap:anywhere}
    h2{font-size:1.15rem;margin:2.2rem 0 .6rem;padding-bottom:.25rem;border-bottom:1px solid var(--line)}
    h3{font-size:1rem;margin:1.2rem 0 .3rem}
    p{margin:.4rem 0}.soft{color:var(--soft)}
    code,pre,.mono{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.86em}
    code{overflow-wrap:anywhere}
    pre{margin:.4rem 0;padding:.6rem .75rem;background:var(--card);border:1px solid var(--line);border-radius:6px;white-space:pre-wrap;
    overflow-wrap:anywhere;max-height:32rem;overflow:auto}
    .verdict{border-left:6px solid var(--idle);background:var(--card);padding:.8rem 1rem;border-radius:0 8px 8px 0;margin:1rem 0}
    .verdict p{font-size:1.08rem;margin:.2rem 0}.verdict b{letter-spacing:.01em}
    .verdict.good{border-color:var(--good)}.verdict.bad{border-color:var(--bad)}.verdict.open{border-color:var(--open)}
    .verdict.undone{border-color:var(--undone)}
    .good>b,.ink.good{color:var(--good)}.bad>b,.ink.bad{color:var(--bad)}.open>b,.ink.open{color:var(--open)}
    .undone>b,.ink.undone{color:var(--undone)}.ink.idle{color:var(--soft)}
    .numbers{display:flex;flex-wrap:wrap;gap:.6rem;margin:1rem 0;padding:0;list-style:none}
    .numbers li{flex:1 1 9rem;border:1px solid var(--line);border-radius:8px;padding:.5rem .75rem;color:var(--soft);font-size:.86rem}
    .numbers b{display:block;color:var(--fg);font-size:1.2rem;line-height:1.3;font-weight:600;overflow-wrap:anywhere}
    dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.5rem 0}
    dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
    table{border-collapse:collapse;width:100%;margin:.4rem 0;font-size:.93rem}
    th,td{text-align:left;vertical-align:top;padding:.28rem .6rem .28rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
    th{color:var(--soft);font-weight:600}
    tr.changed td{background:var(--mark)}tr.changed td:first-child{box-shadow:-6px 0 0 var(--mark)}
    th,.act{white-space:nowrap}.wide td:first-child{width:34%}.wide td+td{width:33%}.log td{width:auto!important}
    .nowrap{white-space:nowrap}
    details{border:1px solid var(--line);border-radius:8px;margin:.5rem 0;padding:0 .8rem}
    details details{border-width:0 0 0 2px;border-radius:0;margin:.4rem 0}
    details[open]{padding-bottom:.6rem}
    summary{cursor:pointer;padding:.45rem 0;overflow-wrap:anywhere}
    summary:focus-visible{outline:2px solid var(--link);outline-offset:2px}
    ul.names{columns:2 18rem;padding-left:1.2rem;margin:.4rem 0}ul.names li{overflow-wrap:anywhere}
    footer{margin-top:2.5rem;color:var(--soft);font-size:.86rem}
    svg{display:block;width:100%;overflow:visible}
    svg text{fill:var(--fg);font-size:13px}
    svg .ticklabel{fill:var(--soft);font-size:11px}.tick{stroke:var(--line)}
    .timeline{--h:25px;--left:12.5rem;--right:5rem;--room:calc(100% - var(--left) - var(--right));height:calc(var(--rows)*var(--h) + 26px);margin:.5rem 0}
    .timeline .row{transform:translateY(calc(var(--i)*var(--h) + 24px))}
    .timeline .at{x:calc(var(--left) + var(--room)*var(--x));width:max(3px,calc(var(--room)*var(--w)))}
    .timeline .bar{y:3px}.row text{transform:translateY(15px)}
    .timeline .ticklabel{transform:translateX(calc(var(--left) + var(--room)*var(--x)))}
    .gridline,.timeline .away,.timeline .pause{height:calc(100% - 18px)}
    .gridline{fill:var(--line);width:1px!important}.took{text-anchor:end;fill:var(--soft)}
    .row .rest{fill:var(--soft)}.row .part{font-weight:600}
    .name.bad{fill:var(--bad);font-weight:600}.name.open{fill:var(--open);font-weight:600}.name.idle{fill:var(--soft)}
    .bar.good{fill:var(--good)}.bar.bad{fill:url(#bad);stroke:var(--bad)}.bar.open{fill:none;stroke:var(--open);stroke-width:2;
    stroke-dasharray:4 2}.bar.undone{fill:var(--undone)}.bar.idle{fill:var(--idle)}
    .badfill{fill:var(--bad);fill-opacity:.45}.badline{stroke:var(--bad);stroke-width:3}
    .away{fill:url(#away)}.awayfill{fill:var(--away)}.awayline{stroke:var(--awayink);stroke-width:1;stroke-opacity:.45}
    .awaylabel{fill:var(--fg);font-weight:600}
    .pause{fill:var(--card);stroke:var(--line);stroke-dasharray:3 3}
    .upfill{fill:var(--upfill)}.upline{fill:var(--good)}.downline{fill:var(--awayink)}
    .legend{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;padding:0;margin:.3rem 0;list-style:none;color:var(--soft);font-size:.86rem}
    .legend svg{display:inline-block;width:22px;height:12px;vertical-align:-1px;margin-right:.35rem}
    @media (max-width:40rem){
    main{padding:.75rem .75rem 2rem}h1{font-size:1.25rem}
    .timeline{--h:42px;--left:0px;--right:0px}.timeline .bar{y:21px}
    .timeline .ticklabel:nth-of-type(even),.availability .ticklabel:nth-of-type(even){display:none}
    dl:not(.facts){grid-template-columns:1fr;gap:0}dl:not(.facts) dt{margin-top:.4rem}
    .steps td,.steps th{padding-right:.4rem}.steps .act{display:none}
    .wide thead{display:none}.wide tr{display:block;border-bottom:1px solid var(--line);padding:.3rem 0}
    .wide td{display:block;border:0;padding:.05rem 0}.wide td[data-is]:not(:empty)::before{content:attr(data-is) ": ";color:var(--soft)}
    }
    @media print{
    :root{--bg:#fff;--fg:#000;--soft:#444;--line:#bbb;--card:#f6f6f6;--good:#1a7f37;--bad:#b42318;--open:#0b5cad;--undone:#8a5a00;
    --idle:#6b7580;--away:#f8d3cf;--awayink:#b42318;--upfill:#e4f3e8;--mark:#fff3d6}
    body{font-size:10.5pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}main{max-width:none;padding:0}
    details:not(.fold)::details-content{content-visibility:visible;display:block;block-size:auto}
    details.fold:not([open]),.onscreen{display:none}
    pre{max-height:none;overflow:visible}h2,h3,summary{break-after:avoid}tr,svg,.verdict,.numbers li{break-inside:avoid}
    @page{margin:15mm}}
    """
}
