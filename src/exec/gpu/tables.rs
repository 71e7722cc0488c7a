//! The tables of losses and penalties in WGSL: tags, constants and dispatch are generated from the
//! enums of [`model`](crate::model); every row brings its functions in a file of its own.

use std::fmt::Write;

use crate::model::loss::Loss;
use crate::model::penalty::{GROUPED, Row, Side};

/// Special functions of losses: exponential, logarithm, σ.
const SPECIAL: &str = include_str!("../../../shaders/lib/special.wgsl");
/// Rows with many predictors.
const MULTINOMIAL: &str = include_str!("../../../shaders/loss/multinomial.wgsl");
/// The norms of groups, and what kernels of the penalty bind.
const GROUP: &str = include_str!("../../../shaders/penalty/group.wgsl");

/// A function of a table: its name after that of the row, its arguments, and its result.
struct Function {
    name: &'static str,
    arguments: &'static str,
    result: &'static str,
    /// The value of an unknown tag.
    otherwise: &'static str,
}

const LOSS_FUNCTIONS: [Function; 3] = [
    Function::of_loss("value"),
    Function::of_loss("residual"),
    Function::of_loss("curvature"),
];

const PENALTY_FUNCTIONS: [Function; 4] = [
    Function::of_row("prox", "f32", "not_a_number()"),
    Function::of_row("keeps", "bool", "false"),
    Function::of_row("slope", "f32", "not_a_number()"),
    Function::of_row("side", "u32", "SIDE_INSIDE"),
];

impl Function {
    const fn of_loss(name: &'static str) -> Self {
        Self {
            name,
            arguments: "z: f32, y: f32, shape: f32",
            result: "f32",
            otherwise: "not_a_number()",
        }
    }

    const fn of_row(name: &'static str, result: &'static str, otherwise: &'static str) -> Self {
        Self {
            name,
            arguments: "u: f32, t: f32, bounds: vec2<f32>",
            result,
            otherwise,
        }
    }

    /// `prefix_name`, which calls `row_name` of the row that `tag` names.
    fn dispatch<'a>(&self, prefix: &str, cases: impl Iterator<Item = (String, &'a str)>) -> String {
        let Self {
            name,
            arguments,
            result,
            otherwise,
        } = self;
        let passed: Vec<&str> = arguments
            .split(", ")
            .filter_map(|argument| argument.split(':').next())
            .collect();
        let passed = passed.join(", ");
        let mut text = format!(
            "fn {prefix}_{name}(tag: u32, {arguments}) -> {result} {{\n    switch tag {{\n"
        );
        for (constant, row) in cases {
            let _ = writeln!(
                text,
                "        case {constant}: {{ return {row}_{name}({passed}); }}"
            );
        }
        let _ = write!(
            text,
            "        default: {{ return {otherwise}; }}\n    }}\n}}\n"
        );
        text
    }
}

fn constant(text: &mut String, name: &str, value: u32) {
    let _ = writeln!(text, "const {name}: u32 = {value}u;");
}

fn loss_constant(loss: Loss) -> String {
    format!("LOSS_{}", loss.name().replace('-', "_").to_uppercase())
}

fn row_constant(row: Row) -> String {
    format!("ROW_{}", row.name().to_uppercase())
}

/// The table of losses: `loss_value`, `loss_residual` and `loss_curvature` of a tag.
#[must_use]
pub fn loss() -> String {
    let mut text = String::new();
    for loss in Loss::ALL {
        constant(&mut text, &loss_constant(loss), loss.tag());
    }
    text.push_str(SPECIAL);
    for loss in Loss::ALL {
        text.push_str(loss.scalar().map_or("", |row| row.shader()));
    }
    for function in &LOSS_FUNCTIONS {
        let cases = Loss::ALL
            .into_iter()
            .filter_map(|loss| Some((loss_constant(loss), loss.residual_row()?.name())));
        text.push_str(&function.dispatch("row", cases));
    }
    text + MULTINOMIAL
}

fn sides(text: &mut String) {
    for (name, side) in [
        ("SIDE_INSIDE", Side::Inside),
        ("SIDE_UPPER", Side::Upper),
        ("SIDE_LOWER", Side::Lower),
    ] {
        constant(text, name, side as u32);
    }
}

/// The functions of one row of the table of penalties, for programs that serve one only.
#[must_use]
pub fn row(row: Row) -> String {
    let mut text = String::new();
    sides(&mut text);
    text + row.shader()
}

/// The table of penalties: `row_prox`, `row_keeps`, `row_slope` and `row_side` of a row, and the
/// norms of groups around them.
#[must_use]
pub fn penalty() -> String {
    let mut text = String::new();
    for &row in Row::ALL {
        constant(&mut text, &row_constant(row), row as u32);
    }
    constant(&mut text, "PENALTY_GROUPED", GROUPED);
    sides(&mut text);
    for row in Row::ALL {
        text.push_str(row.shader());
    }
    for function in &PENALTY_FUNCTIONS {
        let cases = Row::ALL.iter().map(|&row| (row_constant(row), row.name()));
        text.push_str(&function.dispatch("row", cases));
    }
    text + GROUP
}
