//! The head of a page: its title, and all that is needed to make it again.

use super::sheet::escape;

/// The head of a page. What is empty is left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Head {
    /// The title.
    pub title: String,
    /// The command that made the page, quoted so that a shell reads it as it was given.
    pub command: String,
    /// The data and models that the page is of.
    pub bases: Vec<Basis>,
    /// The program and its version.
    pub program: String,
    /// The time at which the page was made.
    pub date: String,
}

/// Data and the model of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Basis {
    /// The source of the data.
    pub data: String,
    /// Rows of the data; `None` where that is not known.
    pub rows: Option<usize>,
    /// Columns of the features; `None` where that is not known.
    pub columns: Option<usize>,
    /// The loss of the fits.
    pub loss: String,
    /// Their penalty.
    pub penalty: String,
    /// The seed of all that is drawn; `None` where that is not known.
    pub seed: Option<u64>,
}

impl Head {
    /// The head as HTML text.
    pub(super) fn html(&self) -> String {
        let mut out = format!("<h1>{}</h1>\n", escape(&self.title));
        if !self.command.is_empty() {
            out += &format!("<pre>{}</pre>\n", escape(&self.command));
        }
        let program = [self.program.as_str(), self.date.as_str()];
        let program: Vec<&str> = program.into_iter().filter(|s| !s.is_empty()).collect();
        let lines = self.bases.iter().map(Basis::line);
        let mut lines: Vec<String> = lines
            .chain([program.join(", ")])
            .filter(|line| !line.is_empty())
            .map(|line| escape(&line))
            .collect();
        // Studies that differ in what a line does not say have it once.
        let mut seen = std::collections::HashSet::new();
        lines.retain(|line| seen.insert(line.clone()));
        if !lines.is_empty() {
            out += &format!("<p class=\"made\">{}</p>\n", lines.join("<br>"));
        }
        out
    }
}

impl Basis {
    /// Everything that is known, in one line.
    fn line(&self) -> String {
        let shape = match (self.rows, self.columns) {
            (Some(rows), Some(columns)) => format!("{rows} rows × {columns} columns"),
            (Some(rows), None) => format!("{rows} rows"),
            (None, Some(columns)) => format!("{columns} columns"),
            (None, None) => String::new(),
        };
        let named = |value: &str, noun: &str| match value {
            "" => String::new(),
            value => format!("{value} {noun}"),
        };
        let parts = [
            self.data.clone(),
            shape,
            named(&self.loss, "loss"),
            named(&self.penalty, "penalty"),
            self.seed
                .map_or(String::new(), |seed| format!("seed {seed}")),
        ];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(" · ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_what_is_known_and_nothing_else() {
        let head = Head {
            title: "A < B".into(),
            command: "proxdiff fit 'a & b.csv'".into(),
            bases: vec![Basis {
                data: "a & b.csv".into(),
                rows: Some(442),
                columns: Some(10),
                loss: "squared".into(),
                penalty: "elastic-net".into(),
                seed: Some(7),
            }],
            program: "proxdiff 1.2.3".into(),
            date: "2026-01-02 03:04:05 UTC".into(),
        };
        let html = head.html();
        for part in [
            "<h1>A &lt; B</h1>",
            "<pre>proxdiff fit 'a &amp; b.csv'</pre>",
            "a &amp; b.csv · 442 rows × 10 columns · squared loss · elastic-net penalty · seed 7<br>",
            "proxdiff 1.2.3, 2026-01-02 03:04:05 UTC",
        ] {
            assert!(html.contains(part), "{part} is not in {html}");
        }
        let bare = Head {
            title: "A".into(),
            ..Head::default()
        };
        assert_eq!(bare.html(), "<h1>A</h1>\n");
        // Studies that differ in what no line says, such as the share of the lasso.
        let twice = Head {
            bases: vec![head.bases[0].clone(), head.bases[0].clone()],
            ..head
        };
        assert_eq!(twice.html(), html);
    }
}
