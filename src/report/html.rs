//! One self-contained HTML page: text, figures, tables, images. It loads nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::head::Head;
use super::sheet::escape;

/// A part of a page.
#[derive(Debug, Clone, PartialEq)]
pub enum Section {
    /// A heading.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// An SVG figure.
    Figure {
        /// SVG text, trusted: it stands in the page as it is.
        svg: String,
        /// The caption.
        caption: String,
    },
    /// A PNG image.
    Image {
        /// Its bytes.
        png: Vec<u8>,
        /// The caption.
        caption: String,
    },
    /// A table.
    Table {
        /// The names of the columns.
        head: Vec<String>,
        /// Its rows.
        rows: Vec<Vec<String>>,
    },
}

/// A page.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// Its head.
    pub head: Head,
    /// Its parts.
    pub sections: Vec<Section>,
}

/// Light and dark. Charts stand side by side where there is room; on narrow screens they shrink to the screen,
/// and tables scroll; one of names and values wraps its names instead.
const STYLE: &str = "\
:root{color-scheme:light dark;--ground:#fff;--ink:#1b1f24;--soft:#565d66;--line:#d8dce1}\
@media (prefers-color-scheme:dark){:root{--ground:#15181c;--ink:#e8eaed;--soft:#a3abb5;--line:#3a4048}}\
body{margin:0 auto;padding:.5rem;max-width:80rem;background:var(--ground);color:var(--ink);\
font:1rem/1.5 system-ui,sans-serif;display:grid;gap:0 2rem;\
grid-template-columns:repeat(auto-fit,minmax(min(100%,28rem),1fr))}\
h1,h2,p,pre,.table{grid-column:1/-1;min-width:0}h1,h2,p,figcaption{overflow-wrap:anywhere}p{margin:.5rem 0;max-width:52rem}\
h1{font-size:1.5rem;line-height:1.25}h2{font-size:1.2rem;margin-top:2rem}\
pre{margin:0;padding:.5rem .7rem;border:1px solid var(--line);border-radius:.3rem;font-size:.85rem;\
white-space:pre-wrap;overflow-wrap:anywhere}.made{color:var(--soft);font-size:.9rem}\
figure{margin:1rem 0;min-width:0}figure svg,figure img{display:block;width:100%;height:auto}\
figure img{image-rendering:pixelated}figcaption{color:var(--soft);font-size:.9rem;margin-top:.4rem}\
.table{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
th,td{padding:.3rem .7rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}\
th:first-child,td:first-child{text-align:left}\
td:first-child:nth-last-child(2){white-space:normal}";

/// Sorts the rows of a table by the column whose head is pressed: as numbers where all are, and the other way
/// round when pressed again. The page needs it for nothing else.
const SCRIPT: &str = "\
for(const head of document.querySelectorAll('th')){head.style.cursor='pointer';head.title='sort';\
head.addEventListener('click',()=>{const body=head.closest('table').tBodies[0],at=head.cellIndex,\
down=head.getAttribute('aria-sort')==='ascending';\
for(const other of head.parentNode.cells)other.removeAttribute('aria-sort');\
head.setAttribute('aria-sort',down?'descending':'ascending');\
const text=row=>row.cells[at].textContent,rows=[...body.rows],\
numeric=rows.every(row=>text(row)==='–'||!isNaN(text(row))),\
value=row=>text(row)==='–'?Infinity:Number(text(row));\
rows.sort((a,b)=>(numeric?value(a)-value(b):text(a).localeCompare(text(b)))*(down?-1:1));\
body.append(...rows)})}";

impl Page {
    /// The page as HTML text.
    #[must_use]
    pub fn html(&self) -> String {
        let title = escape(&self.head.title);
        let mut out = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <title>{title}</title><style>{STYLE}</style></head>\n<body>{}",
            self.head.html()
        );
        for (at, section) in self.sections.iter().enumerate() {
            out += &section.html(at);
            out.push('\n');
        }
        out + &format!("<script>{SCRIPT}</script></body></html>\n")
    }
}

impl Section {
    /// `at` makes the identifiers of one page's figures differ.
    fn html(&self, at: usize) -> String {
        let caption = |text: &str| format!("<figcaption>{}</figcaption>", escape(text));
        match self {
            Self::Heading(text) => format!("<h2>{}</h2>", escape(text)),
            Self::Text(text) => format!("<p>{}</p>", escape(text)),
            Self::Figure { svg, caption: text } => {
                let svg = svg
                    .replace("id=\"inside\"", &format!("id=\"inside{at}\""))
                    .replace("url(#inside)", &format!("url(#inside{at})"));
                format!(
                    "<figure><div class=\"chart\">{svg}</div>{}</figure>",
                    caption(text)
                )
            }
            Self::Image { png, caption: text } => format!(
                "<figure><img alt=\"{}\" src=\"data:image/png;base64,{}\">{}</figure>",
                escape(text),
                STANDARD.encode(png),
                caption(text)
            ),
            Self::Table { head, rows } => {
                let cells = |tag: &str, cells: &[String]| -> String {
                    let cell = |text: &String| format!("<{tag}>{}</{tag}>", escape(text));
                    format!("<tr>{}</tr>", cells.iter().map(cell).collect::<String>())
                };
                let body: String = rows.iter().map(|row| cells("td", row)).collect();
                format!(
                    "<div class=\"table\"><table><thead>{}</thead><tbody>{body}</tbody></table></div>",
                    cells("th", head)
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Plot, Theme};

    #[test]
    fn a_page_holds_everything_and_loads_nothing() {
        let figure = || Section::Figure {
            svg: Plot::default().svg(Theme::Auto),
            caption: "a < b".into(),
        };
        let page = Page {
            head: Head {
                title: "T & U".into(),
                ..Head::default()
            },
            sections: vec![
                Section::Heading("first".into()),
                figure(),
                figure(),
                Section::Image {
                    png: vec![1, 2, 3],
                    caption: "digits".into(),
                },
                Section::Table {
                    head: vec!["a".into(), "b".into()],
                    rows: vec![vec!["1".into(), "<2>".into()]],
                },
            ],
        };
        let html = page.html();
        assert!(
            html.contains("T &amp; U") && html.contains("a &lt; b") && html.contains("&lt;2&gt;")
        );
        assert!(html.contains("data:image/png;base64,AQID"));
        assert!(html.contains("id=\"inside1\"") && html.contains("url(#inside2)"));
        for outside in ["src=\"http", "href=", "<script src", "@import"] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}
