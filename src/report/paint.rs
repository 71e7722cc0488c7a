//! Colours on light and dark ground.

use std::fmt::Write;

/// The colours that a plot is drawn in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// Light, or dark where the viewer prefers that: for pages and SVG files.
    #[default]
    Auto,
    /// Light: for PNG images and paper.
    Light,
    /// Dark.
    Dark,
}

/// The number of colours that lines are told apart by.
pub const COLOURS: usize = 12;

/// A colour on light and on dark ground.
type Color = (&'static str, &'static str);

/// Told apart by people with any colour vision (after Okabe and Ito).
const PALETTE: [Color; COLOURS] = [
    ("#0063a8", "#5ab4f0"),
    ("#c44e00", "#f5904a"),
    ("#007a59", "#3dc9a0"),
    ("#a8478a", "#e08cc4"),
    ("#8a6d00", "#e8c534"),
    ("#5b4bb0", "#a99cf0"),
    ("#444444", "#c8c8c8"),
    ("#9e1b32", "#f07a8c"),
    ("#7a4a1e", "#c9a077"),
    ("#4f7300", "#a9d04a"),
    ("#00708f", "#62d4e6"),
    ("#b0176f", "#ff8ad0"),
];
pub(super) const GROUND: Color = ("#ffffff", "#15181c");
const INK: Color = ("#1b1f24", "#e8eaed");
const SOFT: Color = ("#565d66", "#a3abb5");
const GRID: Color = ("#e3e6ea", "#31363d");

/// The colours of a theme, as attributes.
pub(super) struct Paint {
    pub(super) theme: Theme,
}

impl Paint {
    /// `name="colour" class="…"`: the class is what the dark style sheet overrides.
    pub(super) fn attribute(&self, name: &str, color: Color, class: &str) -> String {
        match self.theme {
            Theme::Auto => format!("{name}=\"{}\" class=\"{class}\"", color.0),
            Theme::Light => format!("{name}=\"{}\"", color.0),
            Theme::Dark => format!("{name}=\"{}\"", color.1),
        }
    }

    pub(super) fn ink(&self) -> String {
        self.attribute("fill", INK, "ink")
    }

    pub(super) fn soft(&self) -> String {
        self.attribute("fill", SOFT, "soft")
    }

    /// Soft letters with a rim in the colour of the ground, which keeps them apart from lines behind them.
    pub(super) fn halo(&self) -> String {
        let colors = match self.theme {
            Theme::Auto => format!(
                "fill=\"{}\" stroke=\"{}\" class=\"soft halo\"",
                SOFT.0, GROUND.0
            ),
            Theme::Light => format!("fill=\"{}\" stroke=\"{}\"", SOFT.0, GROUND.0),
            Theme::Dark => format!("fill=\"{}\" stroke=\"{}\"", SOFT.1, GROUND.1),
        };
        format!("{colors} stroke-width=\"4\" paint-order=\"stroke\"")
    }

    pub(super) fn grid(&self) -> String {
        self.attribute("stroke", GRID, "grid")
    }

    pub(super) fn axis(&self) -> String {
        self.attribute("stroke", SOFT, "axis")
    }

    pub(super) fn stroke(&self, color: usize) -> String {
        let color = color % PALETTE.len();
        self.attribute("stroke", PALETTE[color], &format!("s{color}"))
    }

    pub(super) fn fill(&self, color: usize) -> String {
        let color = color % PALETTE.len();
        self.attribute("fill", PALETTE[color], &format!("f{color}"))
    }

    pub(super) fn style(&self) -> String {
        if self.theme != Theme::Auto {
            return String::new();
        }
        let mut rules = format!(
            ".ground{{fill:{}}}.ink{{fill:{}}}.soft{{fill:{}}}.halo{{stroke:{}}}.grid{{stroke:{}}}.axis{{stroke:{}}}",
            GROUND.1, INK.1, SOFT.1, GROUND.1, GRID.1, SOFT.1
        );
        for (at, color) in PALETTE.iter().enumerate() {
            // infallible: writing to a String
            let _ = write!(rules, ".s{at}{{stroke:{0}}}.f{at}{{fill:{0}}}", color.1);
        }
        format!("<style>@media (prefers-color-scheme:dark){{{rules}}}</style>")
    }
}
