//! Decimal text to whole pico-USD and back. No float.

/// Digits behind the point of a price per million tokens, at a pico-USD per token.
pub(super) const PER_MILLION: i32 = 6;
/// Digits behind the point of a price for one piece.
pub(super) const EACH: i32 = 12;

/// A number as JSON writes it (`0.5`, `1.5e-05`), moved by `places` digits and rounded up.
pub(super) fn picos(text: &str, places: i32) -> Result<u64, String> {
    let wrong = || format!("{text} is no price");
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let shift = exponent.parse::<i32>().map_err(|_| wrong())? + places - i32::try_from(fraction.len()).map_err(|_| wrong())?;
    let digits: u128 = format!("{whole}{fraction}").parse().map_err(|_| wrong())?;
    let scale = 10_u128.checked_pow(shift.unsigned_abs()).ok_or_else(wrong)?;
    let picos = if shift < 0 {
        digits.div_ceil(scale)
    } else {
        digits.checked_mul(scale).ok_or_else(wrong)?
    };
    u64::try_from(picos).map_err(|_| wrong())
}

/// As people write it: without zeros at the end.
pub(super) fn written(picos: u64, places: i32) -> String {
    let places = usize::try_from(places).unwrap_or_default();
    let digits = format!("{picos:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}
