//! Names beside rings, each where it is nearest to its own.

/// The radius of a ring.
pub(super) const RING: f64 = 8.0;

/// The frame that names should stay within.
pub(super) struct Bounds {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

/// The box of a ring's name, around its middle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Label {
    pub(super) x: f64,
    pub(super) y: f64,
    half: f64,
}

impl Label {
    /// Half the height of a line.
    const HEIGHT: f64 = 9.0;

    /// A name beside its ring: clear of the other names, nearest to its own ring, and within the
    /// frame, in this order of weight. Ties go to the first side.
    pub(super) fn beside(
        own: [f64; 2],
        text: &str,
        rings: &[[f64; 2]],
        others: &[Self],
        frame: &Bounds,
    ) -> Self {
        let half = 0.5 * 0.64 * 14.0 * text.chars().count() as f64;
        let (aside, above) = (RING + 6.0 + half, RING + 5.0 + Self::HEIGHT);
        let slant = (RING + half, RING + Self::HEIGHT);
        let sides = [
            (aside, 0.0),
            (-aside, 0.0),
            (0.0, -above),
            (0.0, above),
            (slant.0, -slant.1),
            (slant.0, slant.1),
            (-slant.0, -slant.1),
            (-slant.0, slant.1),
        ];
        let label = |(x, y): (f64, f64)| Self {
            x: own[0] + x,
            y: own[1] + y,
            half,
        };
        let faults = |label: &Self| {
            let outside = [
                frame.left - (label.x - half),
                label.x + half - frame.right,
                frame.top - (label.y - Self::HEIGHT),
                label.y + Self::HEIGHT - frame.bottom,
            ];
            let outside: f64 = outside.iter().map(|past| past.max(0.0)).sum();
            let foreign = rings.iter().filter(|&&ring| ring != own);
            // Ambiguous: equally close to another marker.
            let wanted = label.distance(own) + RING + 6.0;
            let near: f64 = foreign
                .map(|&ring| (wanted - label.distance(ring)).max(0.0))
                .sum();
            let over = others.iter().filter(|other| label.meets(other)).count();
            outside + 4.0 * near + 100.0 * over as f64
        };
        let best = sides
            .into_iter()
            .map(label)
            .min_by(|a, b| faults(a).total_cmp(&faults(b)));
        best.unwrap_or(label(sides[0]))
    }

    /// From the box to a place.
    fn distance(&self, [x, y]: [f64; 2]) -> f64 {
        let aside = ((x - self.x).abs() - self.half).max(0.0);
        let above = ((y - self.y).abs() - Self::HEIGHT).max(0.0);
        aside.hypot(above)
    }

    fn meets(&self, other: &Self) -> bool {
        (self.x - other.x).abs() < self.half + other.half
            && (self.y - other.y).abs() < 2.0 * Self::HEIGHT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_nearer_to_its_own_ring() {
        let frame = Bounds {
            left: 74.0,
            right: 380.0,
            top: 64.0,
            bottom: 334.0,
        };
        for (x, y) in [
            (0.0, 60.0),
            (10.0, 10.0),
            (30.0, 0.0),
            (80.0, -15.0),
            (-20.0, -18.0),
        ] {
            for (left, top) in [(220.0, 160.0), (100.0, 90.0), (220.0, 270.0)] {
                let rings = [[left, top], [left + x, top + y]];
                let first = Label::beside(rings[0], "best", &rings, &[], &frame);
                let second = Label::beside(rings[1], "one std. error", &rings, &[first], &frame);
                assert!(first.distance(rings[0]) < first.distance(rings[1]));
                assert!(second.distance(rings[1]) < second.distance(rings[0]));
                assert!(!first.meets(&second), "{x} {y}");
            }
        }
    }
}
