/** The page's only style sheet: system fonts, two themes from one list of colours, one column that a phone can hold. */
export const STYLE = `
:root{color-scheme:light dark;
--paper:light-dark(#fcfcfb,#141619);--raised:light-dark(#f4f4f2,#1c1f23);--ink:light-dark(#1b1c1e,#e8e9eb);
--muted:light-dark(#5a5f66,#a3a9b1);--rule:light-dark(#dfe0e2,#2f343a);--accent:light-dark(#1f55c4,#86adff);
--accent-soft:light-dark(#b9cdf5,#2c4475);--pass:light-dark(#116b3d,#62cf96);--fail:light-dark(#b3261e,#ff9388);
--open:light-dark(#7f5200,#ebb862);--teacher:light-dark(#6b7078,#979da6)}
:root[data-theme=light]{color-scheme:light}:root[data-theme=dark]{color-scheme:dark}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
@media(prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;
font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
a{color:var(--accent);text-underline-offset:.15em}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:3px}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:1rem;background:var(--paper);padding:.5rem .75rem;z-index:2}
.shell{max-width:74rem;margin:0 auto;padding:0 1.15rem 5rem}
header{padding:2rem 0 1.25rem}
.top{display:flex;justify-content:space-between;align-items:baseline;gap:1rem}
.top p{margin:0;color:var(--muted);font-size:.875rem}
h1{font-size:clamp(1.6rem,1.2rem + 1.8vw,2.35rem);line-height:1.15;letter-spacing:-.018em;margin:.5rem 0 .6rem;font-weight:650}
h2{font-size:1.3rem;line-height:1.25;letter-spacing:-.01em;margin:0 0 .35rem;font-weight:640}
h3{font-size:1rem;margin:1.6rem 0 .4rem;font-weight:620}
p{margin:.4rem 0 .8rem;max-width:44rem}.note{color:var(--muted);font-size:.9rem}
.lead{font-size:1.1rem;max-width:46rem;margin-bottom:.6rem}
.badge{display:inline-flex;align-items:center;gap:.4em;font-weight:650;border:1.5px solid currentColor;border-radius:99px;
padding:.05em .7em;font-size:.9rem;letter-spacing:.01em;white-space:nowrap}
.pass{color:var(--pass)}.fail{color:var(--fail)}.incomplete,.none{color:var(--open)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.2rem,1fr));gap:1px;background:var(--rule);
border:1px solid var(--rule);border-radius:10px;overflow:hidden;margin:1.3rem 0 0;padding:0}
.figures div{background:var(--paper);padding:.7rem .9rem .75rem}.figures dt{color:var(--muted);font-size:.8rem}
.figures dd{margin:0;font-size:1.3rem;font-weight:620;letter-spacing:-.01em;line-height:1.3}
.figures small{display:block;font-size:.8rem;font-weight:400;color:var(--muted);letter-spacing:0;line-height:1.35}
nav{border-block:1px solid var(--rule);margin:1.2rem 0 0}
nav ul{display:flex;flex-wrap:wrap;gap:0 1.05rem;list-style:none;margin:0;padding:.45rem 0}
nav a{color:var(--muted);text-decoration:none;font-size:.9rem;display:inline-block;padding:.25rem 0}nav a:hover{color:var(--accent);text-decoration:underline}
section{padding-top:2.6rem}
@media(min-width:64rem){
.shell{display:grid;grid-template-columns:11rem minmax(0,1fr);column-gap:3rem}
header{grid-column:1/-1}nav{border:0;margin:2.75rem 0 0}
nav ul{position:sticky;top:1.5rem;flex-direction:column;gap:.1rem;border-left:1px solid var(--rule);padding:0 0 0 .9rem}}
.gates{list-style:none;margin:1rem 0 0;padding:0}
.gates li{border-top:1px solid var(--rule);padding:.8rem 0;display:grid;grid-template-columns:minmax(0,1fr);gap:.15rem 1.5rem}
.gates strong{font-weight:620}.gates p{margin:0}
@media(min-width:44rem){.gates li{grid-template-columns:minmax(0,1fr) 17rem;align-items:center}}
.bar{width:100%;height:34px;display:block}
.pair{display:grid;gap:1.5rem 2.5rem;grid-template-columns:minmax(0,1fr)}
@media(min-width:56rem){.pair{grid-template-columns:minmax(0,1fr) minmax(0,1fr)}}
figure{margin:1rem 0 0}figcaption{font-size:.875rem;color:var(--muted);max-width:44rem;margin-top:.35rem}
svg.chart{width:100%;max-width:34rem;height:auto;display:block}svg text{fill:var(--muted);font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
svg.chart text{paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}svg .strong{fill:var(--ink);font-weight:600}
.axis{stroke:var(--rule);stroke-width:1;fill:none}.limit{stroke:var(--ink);stroke-width:1.5}
.of-teacher{stroke:var(--teacher);fill:none;stroke-width:1.75}.dot-teacher{fill:var(--teacher)}
.of-compiled{stroke:var(--accent);fill:none;stroke-width:2.25}.dot-compiled{fill:var(--accent)}
.dashed{stroke-dasharray:5 4}.whisker{stroke:var(--accent);stroke-width:2;fill:none;opacity:.65}
.ideal{stroke:var(--rule);stroke-width:1.25;stroke-dasharray:2 4;fill:none}
.key{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;list-style:none;margin:.5rem 0 0;padding:0;font-size:.875rem;color:var(--muted)}
.key svg{width:1.5rem;height:.6rem;vertical-align:.05rem;margin-right:.4rem}
.scroll{overflow-x:auto;margin:.75rem 0 0}
table{border-collapse:collapse;width:100%;font-size:.9rem}
caption{text-align:left;color:var(--muted);font-size:.875rem;padding:0 0 .4rem;max-width:min(44rem,calc(100vw - 2.5rem))}
th,td{padding:.32rem .9rem .32rem 0;text-align:left;border-top:1px solid var(--rule);vertical-align:middle}
thead th{border-top:0;color:var(--muted);font-weight:500;font-size:.8rem;white-space:nowrap;vertical-align:bottom}
tbody th{font-weight:500;min-width:7rem}table{overflow-wrap:break-word}td{white-space:nowrap}.n{text-align:right;white-space:nowrap}
td svg{display:block}@media(max-width:40rem){.drop-plot{width:7rem}}
.layers td,.layers th{padding-top:0;padding-bottom:0;height:34px}.layers .wire{padding-right:.5rem}.layers small{color:var(--muted);margin-left:.45em}
.layers tbody th{min-width:10rem;white-space:nowrap}
.wires path{stroke:var(--teacher);fill:none;stroke-width:1.25;opacity:.75}.wires circle{fill:var(--accent)}
.time{fill:var(--accent)}.error{fill:var(--open)}.track{fill:var(--raised)}
details{margin:1rem 0 0}summary{cursor:pointer;color:var(--accent);padding:.3rem 0}
.limits{display:block;width:100%;height:1.4rem;margin:.6rem 0 0}
.l0{fill:var(--accent)}.l1{fill:light-dark(#d08700,#eab04d)}.l2{fill:light-dark(#159089,#55c5bd)}.l3{fill:light-dark(#a04fb0,#d58fe2)}
.l4{fill:light-dark(#b5493c,#f08b7d)}.l5{fill:light-dark(#58803a,#9cc97a)}.l6{fill:light-dark(#7a7f87,#9aa0a8)}.l7{fill:light-dark(#44484e,#d0d3d8)}
.chip{border:1px solid var(--rule);border-radius:10px;margin:1rem 0 0;overflow:hidden}
.tools{display:flex;flex-wrap:wrap;gap:.4rem;align-items:center;padding:.5rem .6rem;border-bottom:1px solid var(--rule);background:var(--raised)}
button,.button{font:inherit;font-size:.875rem;color:var(--ink);background:var(--paper);border:1px solid var(--rule);border-radius:6px;
min-width:2.4rem;min-height:2.2rem;padding:.2rem .7rem;cursor:pointer;text-decoration:none;display:inline-flex;align-items:center;justify-content:center}
button:hover,.button:hover{border-color:var(--accent)}.tools .button{margin-left:auto}
.lanes{display:grid;grid-template-columns:5.2rem minmax(0,1fr)}
.lanes ol{list-style:none;margin:0;padding:0;font-size:.75rem;color:var(--muted)}
.lanes li{height:26px;line-height:26px;padding-left:.6rem;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.plot{position:relative;border-left:1px solid var(--rule);touch-action:pan-y;cursor:grab}
.plot svg{display:block;width:100%}.hidden-work{fill:var(--accent-soft)}.waited{fill:var(--accent)}
.b0{fill:light-dark(#9db9f2,#35518b)}.b1{fill:light-dark(#86cfc8,#2a625e)}.b2{fill:light-dark(#e3bd78,#6b5223)}.b3{fill:light-dark(#cfa3d8,#5f3d68)}
.map path{stroke:var(--paper);stroke-width:.6;vector-effect:non-scaling-stroke}.map{background:var(--raised);cursor:grab;border-top:1px solid var(--rule)}
.ends{display:flex;justify-content:space-between;font-size:.75rem;color:var(--muted);padding:.2rem .6rem .2rem 5.4rem;border-top:1px solid var(--rule)}
.readout{margin:0;padding:.45rem .6rem;border-top:1px solid var(--rule);font-size:.875rem;min-height:2.6rem;max-width:none}
.advice{counter-reset:step;list-style:none;margin:.8rem 0 0;padding:0;display:grid;gap:0 2.5rem;grid-template-columns:minmax(0,1fr)}
@media(min-width:56rem){.advice{grid-template-columns:1fr 1fr}}
.advice li{border-top:1px solid var(--rule);padding:.75rem 0}.advice strong{display:block;font-weight:620}.advice p{margin:.1rem 0 0}
.facts{display:grid;grid-template-columns:minmax(0,1fr);margin:.8rem 0 0}.facts dt{color:var(--muted);font-size:.875rem;padding-top:.45rem;border-top:1px solid var(--rule)}
.facts dd{margin:0;padding-bottom:.45rem}
@media(min-width:40rem){.facts{grid-template-columns:9rem minmax(0,1fr)}.facts dd{border-top:1px solid var(--rule);padding-top:.45rem}}
code{font:.84em ui-monospace,"SF Mono",Menlo,Consolas,monospace;color:var(--muted)}
[hidden]{display:none!important}
@media print{nav,.tools{display:none}section{break-inside:avoid}}
`;
