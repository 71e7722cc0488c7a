//! Reports in headless Chromium: on a phone and on a desktop, in light and in dark.
//! Without a browser these tests are listed as ignored; with PROXDIFF_REQUIRE_BROWSER set, that is
//! a failure.
//!
//! A script in a copy of the page measures what was rendered. Altered copies show that each
//! measurement can fail.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

#[path = "cli/support.rs"]
#[allow(dead_code)] // each test program uses its own part
mod support;

use support::{Folder, noise, ok, table};

/// Nothing may be loaded; what is tried all the same is refused and counted.
const POLICY: &str = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
    style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">";

/// Measures the page and sends what it found to the page around it.
const SCRIPT: &str = r#"<script>
let refused = [];
document.addEventListener("securitypolicyviolation", e => refused.push(e.blockedURI));
function channels(text) {
  const parts = text.match(/[0-9.]+/g).map(Number);
  return {rgb: parts.slice(0, 3), alpha: parts.length > 3 ? parts[3] : 1};
}
function luminance(rgb) {
  const linear = rgb.map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}
function ground(element) {
  const chart = element.closest("svg");
  if (chart) return channels(getComputedStyle(chart.querySelector("rect.ground")).fill).rgb;
  for (let at = element; at; at = at.parentElement) {
    const found = channels(getComputedStyle(at).backgroundColor);
    if (found.alpha > 0) return found.rgb;
  }
  return [255, 255, 255];
}
function contrast(element) {
  const style = getComputedStyle(element);
  const ink = channels(element.closest("svg") ? style.fill : style.color).rgb;
  const [a, b] = [luminance(ink), luminance(ground(element))].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}
addEventListener("load", () => setTimeout(() => {
  const root = document.documentElement;
  const charts = [...document.querySelectorAll("figure svg")];
  const sizes = charts.map(c => { const r = c.getBoundingClientRect(); return [r.width, r.height]; });
  const words = [...document.querySelectorAll("h1,h2,p,pre,th,td,figcaption,svg text")]
    .filter(e => e.textContent.trim() && getComputedStyle(e).paintOrder === "normal");
  const letters = words.map(e => {
    const chart = e.closest("svg");
    const scale = chart ? chart.getBoundingClientRect().width / chart.viewBox.baseVal.width : 1;
    return parseFloat(getComputedStyle(e).fontSize) * scale;
  });
  const heads = [...document.querySelectorAll("th")].filter(h => h.closest("table").tBodies[0].rows.length > 1);
  const numeric = h => [...h.closest("table").tBodies[0].rows].every(r => r.cells[h.cellIndex].textContent !== "" &&
    !isNaN(r.cells[h.cellIndex].textContent));
  const several = h => new Set([...h.closest("table").tBodies[0].rows].map(r => r.cells[h.cellIndex].textContent)).size > 1;
  const head = heads.find(h => numeric(h) && several(h));
  let overprinted = [];
  for (const chart of charts) {
    const boxes = [...chart.querySelectorAll("text")].filter(e => e.textContent.trim())
      .map(e => [e.textContent, e.getBoundingClientRect()]);
    boxes.forEach(([a, p], i) => boxes.slice(i + 1).forEach(([b, q]) => {
      const across = Math.min(p.right, q.right) - Math.max(p.left, q.left);
      const down = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
      // The box of letters has room above and below them.
      if (across > 1 && down > 0.3 * Math.min(p.height, q.height)) overprinted.push(a + " / " + b);
    }));
    const frame = chart.getBoundingClientRect();
    for (const [a, p] of boxes) if (p.left < frame.left - 1 || p.right > frame.right + 1) overprinted.push(a + " cut");
  }
  const column = () => [...head.closest("table").tBodies[0].rows].map(r => Number(r.cells[head.cellIndex].textContent));
  const sorted = [1, 2].map(() => { head.click(); return column(); });
  parent.postMessage({
    sorted: sorted, overprinted: overprinted,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    width: innerWidth, scroll: root.scrollWidth, sizes: sizes, words: words.length,
    contrast: Math.min(...words.map(contrast)), letters: Math.min(...letters),
    ground: ground(document.body),
    refused: refused.length + performance.getEntriesByType("resource").length
  }, "*");
}, 100));
</script>"#;

fn chromium() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let places = names
        .iter()
        .flat_map(|name| folders.iter().map(move |f| f.join(name)));
    places.into_iter().find(|path| path.is_file())
}

/// What the script finds in a page, in a frame of a width.
fn measure(browser: &Path, page: &str, width: usize, dark: bool) -> Result<Value, Failed> {
    let folder = Folder::new();
    let head = page.replacen("<head>", &format!("<head>{POLICY}{SCRIPT}"), 1);
    folder.text("page.html", &head);
    let frame = folder.text(
        "frame.html",
        &format!(
            "<!doctype html><html><head><style>:root{{color-scheme:light dark}}body{{margin:0}}\
             iframe{{border:0;width:{width}px;height:4000px}}</style><script>\
             addEventListener('message', e => {{ document.getElementById('found').textContent = \
             JSON.stringify(e.data); }});</script></head><body><pre id=\"found\"></pre>\
             <iframe src=\"page.html\"></iframe></body></html>"
        ),
    );
    let dumped = folder.path("dumped.html");
    let scheme = format!(
        "--blink-settings=preferredColorScheme={}",
        usize::from(!dark)
    );
    let profile = format!("--user-data-dir={}", folder.path("profile").display());
    let mut child = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1400,4200",
            "--virtual-time-budget=3000",
            "--dump-dom",
        ])
        .args([&scheme, &profile, &format!("file://{frame}")])
        .stdout(std::fs::File::create(&dumped)?)
        .stderr(Stdio::null())
        .spawn()?;
    let begin = Instant::now();
    while child.try_wait()?.is_none() {
        if begin.elapsed() > Duration::from_secs(120) {
            child.kill()?;
            child.wait()?;
            return Err("the browser does not end".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let text = std::fs::read_to_string(&dumped)?;
    let found = text.split("<pre id=\"found\">").nth(1);
    let found = found.and_then(|rest| rest.split("</pre>").next());
    let found = found.filter(|found| !found.is_empty());
    let found = found.ok_or_else(|| format!("the page was not measured: {text}"))?;
    Ok(serde_json::from_str(found)?)
}

/// What is wrong with a page, by what was measured.
fn faults(found: &Value, page: &Page, width: usize, dark: bool) -> Vec<&'static str> {
    let number = |name: &str| found[name].as_f64().unwrap_or(f64::NAN);
    let mut faults = Vec::new();
    let mut demand = |holds: bool, fault: &'static str| {
        if !holds {
            faults.push(fault);
        }
    };
    demand(number("width") == width as f64, "width");
    demand(found["dark"] == dark, "scheme");
    demand(number("scroll") <= width as f64, "overflow");
    let sizes = found["sizes"].as_array().cloned().unwrap_or_default();
    let is_visible = |size: &Value| {
        let is_within = |w: f64| (300.0..=width as f64).contains(&w);
        size[0].as_f64().is_some_and(is_within) && size[1].as_f64().is_some_and(|h| h >= 100.0)
    };
    demand(
        sizes.len() == page.charts && sizes.iter().all(is_visible),
        "charts",
    );
    let overprinted = found["overprinted"].as_array();
    demand(overprinted.is_some_and(Vec::is_empty), "overprint");
    demand(number("words") > 50.0, "words");
    demand(number("contrast") >= 4.5, "contrast");
    demand(number("letters") >= 10.0, "letters");
    let ways = [0, 1].map(|way| {
        let values = found["sorted"][way].as_array().cloned().unwrap_or_default();
        values
            .iter()
            .filter_map(Value::as_f64)
            .collect::<Vec<f64>>()
    });
    let is_sorted =
        ways[0].len() > 1 && ways[0].is_sorted() && ways[1].iter().rev().eq(ways[0].iter());
    demand(is_sorted, "sorting");
    demand(number("refused") == 0.0, "network");
    let light = found["ground"][0].as_f64().is_some_and(|red| red > 128.0);
    demand(light != dark, "ground");
    faults
}

/// A report that is looked at.
struct Page {
    name: &'static str,
    html: String,
    charts: usize,
}

/// Houses with their prices in full, and names that are long.
fn houses() -> String {
    let numbers = noise(1000, 3);
    let mut text = String::from(
        "living area above ground in square feet,neighbourhood,overall quality,wrong,agency,price\n",
    );
    for (at, row) in numbers.chunks(5).enumerate() {
        let place =
            ["Northridge Heights", "Old Town", "College Creek"][(2.99 * row[0].abs()) as usize];
        let (area, quality) = (1500.0 + 900.0 * row[1], (5.0 + 4.0 * row[2]).round());
        let price = 120.0 * area + 31_000.0 * quality + 20_000.0 * row[3] - 60_000.0;
        let wrong = u8::from(row[4] > 0.8);
        let price = price + 400_000.0 * f64::from(wrong);
        text += &format!(
            "{area:.0},{place},{quality},{wrong},a{},{price:.0}\n",
            at % 12
        );
    }
    text
}

/// A report of every command that has one, made once.
fn pages() -> &'static [Page] {
    static PAGES: OnceLock<Vec<Page>> = OnceLock::new();
    PAGES.get_or_init(|| {
        let folder = Folder::new();
        let houses = folder.text("houses.csv", &houses());
        let kinds = folder.text("kinds.csv", &table(200, 3));
        let out = folder.path("report");
        let model = folder.path("model").display().to_string();
        let mut pages = Vec::new();
        let mut add = |name, charts, flags: &str| {
            let flags = flags.replace("HOUSES", &houses).replace("KINDS", &kinds);
            let out_text = out.display().to_string();
            let mut words: Vec<&str> = flags.split(' ').collect();
            words.extend(["--report", &out_text]);
            if name == "fit" {
                words.extend(["--out", &model]);
            }
            ok(&words);
            let html = std::fs::read_to_string(out.join("report.html")).unwrap();
            std::fs::remove_dir_all(&out).unwrap();
            pages.push(Page { name, html, charts });
        };
        add("sweep", 9, "sweep --cv 3 --keep-solutions");
        add(
            "houses",
            9,
            "sweep HOUSES --target price --drop wrong,agency --categorical neighbourhood --cv 3 --alpha frac:1e-2:1:12 --l1-ratio 0.1,0.5,0.9 --keep-solutions",
        );
        add(
            "fit",
            3,
            "fit KINDS --only a,b,c --target kind --loss multinomial --cv 3 --l1 0.01 --l2 0.01 --test-fraction 0.2",
        );
        add("influence", 2, "influence HOUSES --target price --drop wrong,agency --categorical neighbourhood --l1 100 --exact");
        add("clean", 4, "clean HOUSES --target price --drop agency --categorical neighbourhood --corrupted wrong");
        add("meta", 4, "meta HOUSES --target price --drop neighbourhood --task agency --test-tasks 0.4 --curve");
        pages
    })
}

fn reads_well(browser: &Path, width: usize, dark: bool) -> Result<(), Failed> {
    for page in pages() {
        let found = measure(browser, &page.html, width, dark)?;
        let faults = faults(&found, page, width, dark);
        if !faults.is_empty() {
            return Err(format!("{}: {faults:?}: {found}", page.name).into());
        }
    }
    Ok(())
}

/// Every fault is seen where it is.
fn faults_are_seen(browser: &Path) -> Result<(), Failed> {
    let page = &pages()[0];
    let html = &page.html;
    let with = |extra: &str| html.replacen("</body>", &format!("{extra}</body>"), 1);
    for (altered, fault) in [
        (with("<div style=\"width:2000px\">wide</div>"), "overflow"),
        (with("<p style=\"color:#555\">dim</p>"), "contrast"),
        (with("<p style=\"font-size:7px\">small</p>"), "letters"),
        (
            with("<img src=\"https://example.invalid/a.png\">"),
            "network",
        ),
        (with("<style>figure{display:none}</style>"), "charts"),
        (html.replace("body.append(...rows)", ""), "sorting"),
        (
            with("<style>.chart{overflow-x:auto}.chart svg{min-width:34rem}</style>"),
            "charts",
        ),
        (
            html.replace("prefers-color-scheme:dark", "width:1px"),
            "ground",
        ),
        // Numbers at the axis where its title is.
        (html.replace("translate(20 ", "translate(60 "), "overprint"),
        // A name that is longer than the chart is wide.
        (
            html.replace(">bmi<", &format!(">{}<", "bmi".repeat(30))),
            "overprint",
        ),
    ] {
        let found = measure(browser, &altered, 375, true)?;
        let faults = faults(&found, page, 375, true);
        if !faults.contains(&fault) {
            return Err(format!("{fault} is not among {faults:?}: {found}").into());
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let browser = chromium();
    if browser.is_none() && std::env::var_os("PROXDIFF_REQUIRE_BROWSER").is_some() {
        eprintln!("no Chromium was found, and PROXDIFF_REQUIRE_BROWSER is set");
        return ExitCode::FAILURE;
    }
    let missing = browser.is_none();
    let browser = browser.unwrap_or_default();
    let mut trials = Vec::new();
    for (place, width) in [("phone", 390), ("desktop", 1280)] {
        for (scheme, dark) in [("light", false), ("dark", true)] {
            let browser = browser.clone();
            let name = format!("reports_read_well_on_a_{place}_in_the_{scheme}");
            trials.push(Trial::test(name, move || reads_well(&browser, width, dark)));
        }
    }
    trials.push(Trial::test("every_fault_is_seen", move || {
        faults_are_seen(&browser)
    }));
    let trials = trials
        .into_iter()
        .map(|trial| trial.with_ignored_flag(missing))
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
