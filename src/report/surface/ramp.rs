//! The colours of a surface's values.

/// From low (dark) to high (pale), told apart in grey too; after the ramp "viridis".
const RAMP: [(f64, f64, f64); 6] = [
    (68.0, 1.0, 84.0),
    (65.0, 68.0, 135.0),
    (42.0, 120.0, 142.0),
    (34.0, 168.0, 132.0),
    (122.0, 209.0, 81.0),
    (253.0, 231.0, 37.0),
];

/// The colour at a share of the ramp.
pub(super) fn color(share: f64) -> String {
    let scaled = share.clamp(0.0, 1.0) * (RAMP.len() - 1) as f64;
    let at = (scaled as usize).min(RAMP.len() - 2);
    let (a, b, t) = (RAMP[at], RAMP[at + 1], scaled - at as f64);
    let mix = |a: f64, b: f64| (a + t * (b - a)).round() as u8;
    format!(
        "#{:02x}{:02x}{:02x}",
        mix(a.0, b.0),
        mix(a.1, b.1),
        mix(a.2, b.2)
    )
}
