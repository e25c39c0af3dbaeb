//! Percentiles of a list of numbers.

/// The percentile `thousandths` / 1000, at most 100, of `values`: the value at (n - 1) · p / 100
/// in their order from 0, and between two of them in proportion. `None` without values.
pub fn percentile(mut values: Vec<f64>, thousandths: u32) -> Option<f64> {
    const WHOLE: u64 = 100_000;
    let steps = values.len().checked_sub(1)? as u64 * u64::from(thousandths).min(WHOLE);
    let below = usize::try_from(steps / WHOLE).ok()?;
    let (_, low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    let low = *low;
    let part = (steps % WHOLE) as f64 / WHOLE as f64;
    let high = above.iter().copied().min_by(f64::total_cmp);
    match high {
        // Rounding must not lead out of the two.
        Some(high) if part > 0.0 => Some((low * (1.0 - part) + high * part).clamp(low, high)),
        Some(_) | None => Some(low),
    }
}
