//! How often something took how long.

/// The upper bounds of the buckets, in seconds.
pub const BOUNDS: [f64; 14] = [
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0,
];

/// Durations, counted by the buckets between [`BOUNDS`], and one for all that is longer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Histogram {
    buckets: [u64; BOUNDS.len() + 1],
    sum: f64,
}

impl Histogram {
    /// Adds one duration, in seconds; what is less than nothing counts as nothing.
    pub fn add(&mut self, seconds: f64) {
        let seconds = seconds.max(0.0);
        let place = BOUNDS.partition_point(|bound| *bound < seconds);
        self.sum += seconds;
        if let Some(bucket) = self.buckets.get_mut(place) {
            *bucket += 1;
        }
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// All of them together, in seconds.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Each bucket with its upper bound, and how many are in it alone.
    pub fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = BOUNDS.iter().copied().chain([f64::MAX]);
        bounds.zip(self.buckets).collect()
    }

    /// The bound below which this share of them lies; `None`: there were none, or it is above all
    /// bounds.
    pub fn below(&self, share: f64) -> Option<f64> {
        let wanted = (self.count() as f64 * share).ceil() as u64;
        let mut seen = 0;
        let found = BOUNDS.iter().zip(self.buckets).find(|(_, count)| {
            seen += count;
            seen >= wanted && seen > 0
        });
        found.map(|(bound, _)| *bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_buckets() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.below(0.5), None);
        for seconds in [-1.0, 0.01, 0.011, 2.0, 1e9] {
            histogram.add(seconds);
        }
        let filled: Vec<_> = histogram
            .buckets()
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .collect();
        assert_eq!(filled, [(0.01, 2), (0.025, 1), (2.5, 1), (f64::MAX, 1)]);
        assert_eq!(histogram.count(), 5);
        assert_eq!(histogram.below(0.5), Some(0.025));
        assert_eq!(histogram.below(0.99), None);
    }
}
