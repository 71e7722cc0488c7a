use super::*;

#[test]
fn a_surface_shows_its_finite_tiles() {
    let tile = |x: f64, y: f64, value: f64| Tile {
        x,
        y,
        value,
        arrow: Some((1.0, 0.0)),
    };
    let surface = Surface {
        title: "a < b".into(),
        x: Axis::log("l1"),
        y: Axis::log("l2"),
        tiles: vec![
            tile(1.0, 1.0, 3.0),
            tile(10.0, 1.0, 1.0),
            tile(1.0, 10.0, f64::NAN),
            tile(10.0, 10.0, 2.0),
        ],
        rings: vec![Ring {
            x: 10.0,
            y: 1.0,
            label: "best".into(),
        }],
        ..Surface::default()
    };
    let svg = surface.svg(Theme::Auto);
    // Three tiles, the ground and the scale.
    assert_eq!(svg.matches("<rect").count(), 3 + 1 + STEPS);
    assert_eq!(svg.matches("<path").count(), 3 + 1);
    assert!(svg.contains("a &lt; b") && svg.contains("best"));
    assert!(svg.contains(&color(0.0)) && svg.contains(&color(1.0)));
    assert!(!svg.contains("NaN"));
}

fn grid(columns: usize, rows: usize) -> Surface {
    let tile = |at: usize| Tile {
        x: (at % columns) as f64,
        y: (at / columns) as f64,
        value: at as f64,
        arrow: Some((1.0, 1.0)),
    };
    Surface {
        tiles: (0..columns * rows).map(tile).collect(),
        subtitle: "dark is low".into(),
        arrows: "arrows of descent".into(),
        ..Surface::default()
    }
}

#[test]
fn tiles_stay_within_the_frame() {
    for (columns, rows) in [(2, 2), (3, 5), (14, 6), (40, 2), (1, 7)] {
        let map = Map::new(&grid(columns, rows));
        let (left, low) = map.at(0.0, 0.0);
        let (right, high) = map.at((columns - 1) as f64, (rows - 1) as f64);
        let (x, y) = (map.x.half, map.y.half);
        assert!(left - x >= LEFT && right + x <= RIGHT, "{columns}");
        assert!(high - y >= TOP && low + y <= BOTTOM, "{rows}");
    }
}

#[test]
fn a_tile_stands_for_its_points_where_there_are_too_many() {
    let surface = grid(1000, 300);
    let svg = surface.svg(Theme::Light);
    let drawn = svg.matches("<rect").count();
    assert!((2000..MOST_TILES).contains(&drawn), "{drawn}");
    assert!(svg.contains("each tile is the lowest of its points"));
    let map = Map::new(&surface);
    let shown = surface.shown(&map);
    // The lowest of all is drawn, and every tile's value is that of a point within it.
    assert_eq!(shown.values[0], 0.0);
    for (tile, (x, y), _) in &shown.tiles {
        let (a, b) = map.at(tile.x, tile.y);
        assert!((a - x).abs() <= HALF.0 && (b - y).abs() <= HALF.0);
    }
    assert!(!grid(100, 100).shown(&Map::new(&grid(100, 100))).is_binned);
}

#[test]
fn arrows_are_spoken_of_where_they_are_drawn() {
    let said = |surface: &Surface| surface.svg(Theme::Light).contains("arrows of descent");
    let mut surface = grid(5, 4);
    assert!(said(&surface));
    // Narrow columns have arrows in some of them.
    let narrow = grid(150, 3);
    let svg = narrow.svg(Theme::Light);
    assert!(said(&narrow) && svg.matches("fill=\"none\" stroke=\"#").count() > 30);
    for tile in &mut surface.tiles {
        tile.arrow = None;
    }
    assert!(!said(&surface));
}

#[test]
fn the_ramp_gets_brighter() {
    let brightness = |share: f64| {
        let text = color(share);
        let part = |at: usize| f64::from(u8::from_str_radix(&text[at..at + 2], 16).unwrap());
        0.3 * part(1) + 0.59 * part(3) + 0.11 * part(5)
    };
    let all: Vec<f64> = (0..=20)
        .map(|at| brightness(f64::from(at) / 20.0))
        .collect();
    assert!(all.is_sorted(), "{all:?}");
}

/// Ways have a dark and a pale line, and a mark where they end; the ground is below the points.
#[test]
fn ways_lead_over_the_ground() {
    let tile = |x: f64, y: f64, value: f64| Tile {
        x,
        y,
        value,
        arrow: None,
    };
    let mut surface = Surface {
        tiles: vec![
            tile(0.0, 0.0, 1.0),
            tile(1.0, 3.0, 5.0),
            tile(3.0, 1.0, 3.0),
            tile(2.0, 2.0, f64::NAN),
        ],
        trails: vec![
            Trail {
                label: "start 1 < 2".into(),
                x: vec![1.0, 0.5, 0.0],
                y: vec![3.0, 1.0, 0.0],
            },
            Trail::default(),
        ],
        ..Surface::default()
    };
    let bare = surface.svg(Theme::Light);
    assert_eq!(bare.matches("<polyline").count(), 2);
    assert_eq!(bare.matches("<circle").count(), 1);
    assert!(bare.contains("<title>start 1 &lt; 2</title>"));
    surface.ground = (0..12)
        .map(|at| tile(f64::from(at % 4), f64::from(at / 4), f64::from(at)))
        .collect();
    surface.ground[5].value = f64::NAN;
    let svg = surface.svg(Theme::Light);
    assert_eq!(
        svg.matches("<rect").count(),
        bare.matches("<rect").count() + 11
    );
    // The colours are those of the ground's values: the highest point is not the palest any more.
    assert!(bare.contains(&color(1.0)) && svg.contains(&color(1.0)));
    let shown = surface.shown(&Map::new(&surface));
    assert!(shown.share(5.0) < 0.6 && shown.share(11.0) == 1.0);
    assert!(!svg.contains("NaN"));
}
