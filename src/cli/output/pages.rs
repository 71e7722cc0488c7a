//! A report in a folder: the page with everything, and every chart as SVG and PNG beside it.

use std::path::Path;

use crate::cli::failure::Failure;
use crate::cli::origin::Origin;
use crate::cli::whole::write_whole;
use crate::report::{Basis, Page, Section, Theme, png};

/// The name of the page in the folder of a report.
const PAGE: &str = "report.html";
/// The comment at the end of a page that names its charts, so that the next one in the folder removes those that are
/// no longer its own.
const CHARTS: (&str, &str) = ("<!-- charts: ", " -->\n");
/// Pixels per unit of an SVG in the PNG files.
const PNG_SCALE: f32 = 2.0;

/// Whether a report may write a file of this name.
pub fn is_of_report(name: &str) -> bool {
    name == PAGE || name.ends_with(".svg") || name.ends_with(".png")
}

/// A chart with its file's name.
pub struct Chart {
    /// The name of its files, without an ending.
    pub name: String,
    /// The text below it in a page.
    pub caption: String,
    /// The SVG in a theme.
    pub svg: Box<dyn Fn(Theme) -> String>,
}

impl Chart {
    /// The chart in a page.
    pub fn section(&self) -> Section {
        Section::Figure {
            svg: (self.svg)(Theme::Auto),
            caption: self.caption.clone(),
        }
    }
}

/// The folder of a report, and the flag and the command that name it.
pub struct ReportFolder<'a> {
    /// The folder; it is made if need be.
    pub place: &'a Path,
    /// The flag that names it, for messages.
    pub flag: &'a str,
    /// The command that makes the report.
    pub origin: &'a Origin,
}

impl<'a> ReportFolder<'a> {
    /// The folder of --report, where that is given.
    pub fn of(place: Option<&'a Path>, origin: &'a Origin) -> Option<Self> {
        place.map(|place| Self {
            place,
            flag: "--report",
            origin,
        })
    }

    /// Writes the page of these parts, and the charts that are among them.
    ///
    /// # Errors
    /// [`Failure::Unwritable`] where the folder does not take the files; those of [`Origin::head`].
    pub fn write(
        &self,
        title: &str,
        bases: Vec<Basis>,
        sections: Vec<Section>,
        charts: &[Chart],
    ) -> Result<(), Failure> {
        let put = |name: &str, bytes: &[u8]| {
            let path = self.place.join(name);
            write_whole(&path, bytes)
                .map_err(|source| Failure::unwritable(self.flag, &path, &source))
        };
        std::fs::create_dir_all(self.place)
            .map_err(|source| Failure::unwritable(self.flag, self.place, &source))?;
        let page = Page {
            head: self.origin.head(title, bases)?,
            sections,
        };
        let former = std::fs::read_to_string(self.place.join(PAGE)).unwrap_or_default();
        for Chart { name, svg, .. } in charts {
            put(&format!("{name}.svg"), svg(Theme::Auto).as_bytes())?;
            let png = png::from_svg(&svg(Theme::Light), PNG_SCALE)?;
            put(&format!("{name}.png"), &png)?;
        }
        // After the charts: a page is never older than they are.
        let names: Vec<&str> = charts.iter().map(|chart| chart.name.as_str()).collect();
        let (opening, ending) = CHARTS;
        let html = page.html();
        put(
            PAGE,
            format!("{html}{opening}{}{ending}", names.join(" ")).as_bytes(),
        )?;
        for name in charts_of(&former).filter(|name| !names.contains(name)) {
            for ending in ["svg", "png"] {
                // What is no longer there needs no removal.
                let _ = std::fs::remove_file(self.place.join(format!("{name}.{ending}")));
            }
        }
        Ok(())
    }
}

/// The charts that a page names as its own.
fn charts_of(page: &str) -> impl Iterator<Item = &str> {
    let (opening, ending) = CHARTS;
    let named = page.rsplit_once(opening).map_or("", |(_, rest)| rest);
    let names = named.strip_suffix(ending).unwrap_or_default();
    // Another file may hold anything: no name leads out of the folder.
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    names
        .split_whitespace()
        .filter(move |name| name.chars().all(is_name))
}

/// A line of an output as a sentence of a page.
pub fn sentence(line: String) -> Section {
    let mut letters = line.chars();
    let first = letters.next().map(char::to_uppercase);
    let first: String = first.into_iter().flatten().collect();
    let end = if line.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    Section::Text(format!("{first}{}{end}", letters.as_str()))
}
