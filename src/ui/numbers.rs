//! Conversions between counts and points, each with its limits stated once.
//!
//! Nothing here knows what the numbers mean.

/// A count as a length or ratio. Exact to sixteen million, which no row of cells reaches.
#[expect(clippy::cast_precision_loss, reason = "screen arithmetic; exact far beyond any screen")]
pub(super) fn points(count: usize) -> f32 {
    count as f32
}

/// A large count as a ratio's part.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "ratios on screen need three digits"
)]
pub(super) fn ratio(part: u64, whole: u64) -> f32 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64) as f32 }
}

/// How many whole times, never negative.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, as is meant")]
pub(super) fn floor_to_usize(value: f32) -> usize {
    value.max(0.0) as usize
}

/// [`floor_to_usize`] for positions in the library.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, as is meant")]
pub(super) fn floor_f64_to_usize(value: f64) -> usize {
    value.max(0.0) as usize
}

/// A position in the library relative to the screen.
#[expect(clippy::cast_possible_truncation, reason = "the difference is at most a few screens")]
pub(super) fn near(value: f64) -> f32 {
    value as f32
}

/// A count as a position in the library.
#[expect(clippy::cast_precision_loss, reason = "exact to 2^53")]
pub(super) fn far(count: usize) -> f64 {
    count as f64
}
