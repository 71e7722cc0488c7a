//! Tests of line plots.

use super::super::paint::GROUND;
use super::*;

fn plot() -> Plot {
    let curve = |label: &str, y: Vec<f64>| Series {
        label: label.into(),
        x: (0..y.len()).map(|i| i as f64).collect(),
        y,
        ..Series::default()
    };
    Plot {
        title: "Error & <step>".into(),
        subtitle: "two curves".into(),
        x: Axis::linear("step t"),
        y: Axis::log("error"),
        series: vec![
            Series {
                band: Some(Band {
                    low: vec![0.5, 0.05, 0.005],
                    high: vec![2.0, 0.2, 0.02],
                }),
                markers: true,
                ..curve("first", vec![1.0, 0.1, 0.01])
            },
            Series {
                dashed: true,
                ..curve("second", vec![1.0, 0.0, f64::NAN, 0.1, 0.2])
            },
        ],
        marks: vec![Mark {
            x: 1.0,
            label: "identified".into(),
        }],
        ..Plot::default()
    }
}

#[test]
fn every_part_is_drawn_and_text_is_escaped() {
    let svg = plot().svg(Theme::Light);
    assert_eq!(svg.matches("<polygon").count(), 1);
    // The second curve is interrupted where it cannot be shown.
    assert_eq!(svg.matches("<polyline").count(), 2);
    // Three markers, the legend's, and the one value that stands alone.
    assert_eq!(svg.matches("<circle").count(), 5);
    assert!(svg.contains("Error &amp; &lt;step&gt;") && svg.contains("identified"));
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

#[test]
fn values_apart_have_no_line_and_their_band_is_bars() {
    let mut plot = plot();
    plot.series.truncate(1);
    let series = &mut plot.series[0];
    let apart = |values: &[f64]| values.iter().flat_map(|&v| [v, f64::NAN]).collect();
    series.x = apart(&series.x);
    series.y = apart(&series.y);
    series.band = series.band.take().map(|band| Band {
        low: apart(&band.low),
        high: apart(&band.high),
    });
    let svg = plot.svg(Theme::Light);
    assert_eq!(svg.matches("<polyline").count(), 0);
    assert_eq!(svg.matches("<polygon").count(), 0);
    assert_eq!(svg.matches("stroke-opacity").count(), 3);
    assert_eq!(svg.matches("<circle").count(), 4);
}

#[test]
fn a_theme_decides_the_colours() {
    let (auto, light, dark) = (
        plot().svg(Theme::Auto),
        plot().svg(Theme::Light),
        plot().svg(Theme::Dark),
    );
    assert!(auto.contains("prefers-color-scheme:dark"));
    assert!(!light.contains("<style") && !dark.contains("<style"));
    assert!(light.contains(GROUND.0) && dark.contains(GROUND.1) && !dark.contains(GROUND.0));
}

#[test]
fn higher_values_are_drawn_higher() {
    let plot = Plot {
        y: Axis::linear("y"),
        series: vec![Series {
            x: vec![0.0, 1.0],
            y: vec![1.0, 3.0],
            ..Series::default()
        }],
        ..Plot::default()
    };
    let svg = plot.svg(Theme::Light);
    let points = svg.split("points=\"").nth(1).unwrap();
    let numbers: Vec<f64> = points
        .split('"')
        .next()
        .unwrap()
        .split([',', ' '])
        .map(|n| n.parse().unwrap())
        .collect();
    assert!(
        numbers[0] < numbers[2] && numbers[1] > numbers[3],
        "{numbers:?}"
    );
}

#[test]
fn a_long_legend_takes_several_rows_inside_the_picture() {
    let series = |at: usize| Series {
        label: format!("a rather long name of a curve {at}"),
        x: vec![0.0],
        y: vec![1.0],
        ..Series::default()
    };
    let plot = Plot {
        series: (0..6).map(series).collect(),
        ..Plot::default()
    };
    let rows = plot.legend_rows();
    assert!(rows.len() >= 3);
    assert_eq!(rows.iter().map(Vec::len).sum::<usize>(), 6);
}

#[test]
fn numbers_at_the_axis_keep_clear_of_its_title() {
    let svg = |values: &[f64]| {
        let plot = Plot {
            y: Axis::linear("price"),
            series: vec![Series {
                x: vec![0.0, 1.0],
                y: values.to_vec(),
                ..Series::default()
            }],
            ..Plot::default()
        };
        plot.svg(Theme::Light)
    };
    // The line of the vertical axis, and the left ends of the numbers beside it.
    let axis = |svg: &str| -> f64 {
        let clip = svg.split("<rect x=\"").nth(1).unwrap();
        clip.split('"').next().unwrap().parse().unwrap()
    };
    assert_eq!(axis(&svg(&[0.0, 2.0])), LEFT);
    let wide = svg(&[-100_000.0, 300_000.0]);
    assert!(wide.contains("−100\u{2009}000"), "{wide}");
    let room = axis(&wide) - BESIDE_AXIS - width("−100\u{2009}000", 14.0);
    assert!(room >= AXIS_TITLE - 0.1, "{room}");
}

#[test]
fn curves_have_their_names_at_their_ends_where_there_is_room() {
    let line = |name: &str, y: f64| Series {
        label: format!("l2 {name}"),
        short_label: name.into(),
        x: vec![1.0, 2.0],
        y: vec![y, y],
        ..Series::default()
    };
    let plot = |values: [f64; 3]| Plot {
        series: vec![
            line("0.1", values[0]),
            line("0.2", values[1]),
            line("0.3", values[2]),
        ],
        names_at_ends: true,
        ..Plot::default()
    };
    let names = |values| {
        plot(values)
            .svg(Theme::Light)
            .matches("font-size=\"13\"")
            .count()
    };
    // The highest curve has no room above it within the frame.
    assert!(names([1.0, 2.0, 3.0]) >= 2);
    // Curves on each other cannot be told apart there.
    assert!(names([1.0, 1.001, 3.0]) < names([1.0, 2.0, 3.0]));
}

#[test]
fn a_marker_has_the_name_of_its_value() {
    let plot = Plot {
        x: Axis::linear("observed"),
        y: Axis::linear("predicted"),
        series: vec![Series {
            x: vec![1.0, f64::NAN],
            y: vec![2.0, f64::NAN],
            names: vec!["row <17>".into(), String::new()],
            ..Series::default()
        }],
        ..Plot::default()
    };
    let svg = plot.svg(Theme::Light);
    assert!(
        svg.contains("<title>row &lt;17&gt;: observed 1, predicted 2</title>"),
        "{svg}"
    );
}
