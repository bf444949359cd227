//! Quality flag bits of a pixel. Bits 0-7 are the official CSST eight (official L1 code, csster/csst);
//! the others are the project's own. The official `_flg` product is 16 bits wide: [`official`] folds.

/// Bad: flat outside 0.5-1.5 of the median.
pub const BAD: u32 = 1;
/// Hot: dark x t >= read noise^2.
pub const HOT: u32 = 1 << 1;
/// Warm: 0.5 read noise^2 < dark x t < read noise^2.
pub const WARM: u32 = 1 << 2;
/// Saturated or bled into.
pub const SATURATED: u32 = 1 << 3;
/// Cosmic-ray hit.
pub const COSMIC_RAY: u32 = 1 << 4;
/// Satellite or other moving trail.
pub const SATELLITE: u32 = 1 << 5;
/// Ghost.
pub const GHOST: u32 = 1 << 6;
/// Scattered light.
pub const SCATTERED: u32 = 1 << 7;
/// Charge has run along the column, out of this pixel or into it: saturated too.
pub const BLEED: u32 = 1 << 8;
/// Above the range over which the linearity was calibrated.
pub const NONLINEAR: u32 = 1 << 9;
/// Near saturated pixels, whose charge is not known: boundary shifts (brighter-fatter) could not be undone.
pub const BFE_UNRELIABLE: u32 = 1 << 11;
/// No data (fill value).
pub const NO_DATA: u32 = 1 << 13;
/// Overscan of this row could not be used.
pub const OVERSCAN_BAD: u32 = 1 << 14;
/// No valid flat field.
pub const NO_FLAT: u32 = 1 << 15;
/// Glows from an earlier exposure in which it was full.
pub const PERSIST: u32 = 1 << 16;
/// Dead or cold pixel.
pub const DEAD: u32 = 1 << 19;
/// Bad column.
pub const BAD_COLUMN: u32 = 1 << 20;
/// Crosstalk from a saturated source, of which only a lower limit is taken off.
pub const CROSSTALK: u32 = 1 << 21;
/// Dark current that jumps between two levels (random telegraph signal).
pub const TELEGRAPH: u32 = 1 << 22;
/// The converter was at its ceiling.
pub const ADC_SATURATED: u32 = 1 << 25;

/// Every bit with its name and meaning, for the DQ table extension.
pub const TABLE: &[(u32, &str, &str)] = &[
    (BAD, "BAD", "flat < 0.5 or > 1.5 of its median"),
    (HOT, "HOT", "dark x t >= read noise^2"),
    (WARM, "WARM", "0.5 read noise^2 < dark x t < read noise^2"),
    (SATURATED, "SATURATED", "saturated or bled into"),
    (COSMIC_RAY, "COSMIC_RAY", "cosmic-ray hit"),
    (SATELLITE, "SATELLITE", "satellite or other moving trail"),
    (GHOST, "GHOST", "ghost"),
    (SCATTERED, "SCATTERED", "scattered light"),
    (BLEED, "BLEED", "charge may have run along the column here"),
    (NONLINEAR, "NONLINEAR", "above the range of the calibrated linearity"),
    (BFE_UNRELIABLE, "BFE_UNRELIABLE", "near saturated pixels: boundary shifts not undone"),
    (NO_DATA, "NO_DATA", "no data"),
    (OVERSCAN_BAD, "OVERSCAN_BAD", "overscan of this row unusable"),
    (NO_FLAT, "NO_FLAT", "no valid flat field"),
    (PERSIST, "PERSIST", "glow of an earlier exposure taken off"),
    (DEAD, "DEAD", "dead or cold pixel"),
    (BAD_COLUMN, "BAD_COLUMN", "bad column"),
    (CROSSTALK, "CROSSTALK", "crosstalk from a saturated source"),
    (TELEGRAPH, "TELEGRAPH", "dark current jumps between two levels"),
    (ADC_SATURATED, "ADC_SATURATED", "converter at its ceiling"),
];

/// The 16-bit form of the official `_flg` product: bits 0-15 as they are; dead, telegraph and bad column fold into BAD,
/// converter saturation into SATURATED.
#[must_use]
pub fn official(flags: u32) -> u16 {
    let mut low = (flags & 0xFFFF) as u16;
    if flags & (DEAD | BAD_COLUMN | TELEGRAPH) != 0 {
        low |= BAD as u16;
    }
    if flags & ADC_SATURATED != 0 {
        low |= SATURATED as u16;
    }
    low
}
