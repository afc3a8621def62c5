//! The raw colours. Only `tokens` may use them.

use eframe::egui::Color32;

const fn rgb(hex: u32) -> Color32 {
    let [_, r, g, b] = hex.to_be_bytes();
    Color32::from_rgb(r, g, b)
}

/// Near-black warm greys, darkest first.
pub(super) const INK: [Color32; 6] =
    [rgb(0x100e0c), rgb(0x171412), rgb(0x1d1917), rgb(0x26211d), rgb(0x322c27), rgb(0x403831)];
/// Light text on ink: strong, weak, faint.
pub(super) const CHALK: [Color32; 3] = [rgb(0xefe8df), rgb(0xb5aba0), rgb(0xa2978c)];
/// Paper whites, lightest first.
pub(super) const PAPER: [Color32; 6] =
    [rgb(0xffffff), rgb(0xfbf9f5), rgb(0xf4efe8), rgb(0xf1ebe2), rgb(0xe8e0d5), rgb(0xdbd1c3)];
/// Dark text on paper: strong, weak, faint.
pub(super) const SEPIA: [Color32; 3] = [rgb(0x231d18), rgb(0x5c5249), rgb(0x6b6157)];
/// The safelight, lit for ink.
pub(super) const LAMP: Color32 = rgb(0xff6b3d);
/// The lamp under the pointer.
pub(super) const LAMP_BRIGHT: Color32 = rgb(0xff8259);
/// Text on the lamp.
pub(super) const LAMP_INK: Color32 = rgb(0x1f0c04);
/// The lamp seen from afar, on ink and on paper.
pub(super) const LAMP_PALE: [Color32; 2] = [rgb(0xffb596), rgb(0xc8704a)];
/// The lamp as a wash over ink.
pub(super) const LAMP_EMBER: Color32 = rgb(0x3a1e14);
/// The safelight, deepened for paper.
pub(super) const GLOW: Color32 = rgb(0xb5340f);
/// The deep lamp under the pointer.
pub(super) const GLOW_BRIGHT: Color32 = rgb(0xa02c0a);
/// The lamp as a wash over paper.
pub(super) const GLOW_BLUSH: Color32 = rgb(0xf9e3d9);
/// Middle tones of the accounting bar on ink: waiting, unproven, excluded.
pub(super) const INK_TONES: [Color32; 3] = [rgb(0x857a6f), rgb(0xb3a696), rgb(0x71675d)];
/// The same on paper.
pub(super) const PAPER_TONES: [Color32; 3] = [rgb(0x7d7164), rgb(0x665a4e), rgb(0x8e8273)];
/// Around controls and cards, on ink and on paper.
pub(super) const EDGE: [Color32; 2] = [rgb(0x766b61), rgb(0x857869)];
/// Safe on the accounting bar: chalk on ink, sepia on paper.
pub(super) const SAFE: [Color32; 2] = [rgb(0xe3d8c9), rgb(0x4a4037)];
/// Over photos, so that marks are seen on any of them.
pub(super) const SHADE: Color32 = Color32::from_rgba_premultiplied(9, 7, 6, 190);
/// Marks over photos.
pub(super) const ON_SHADE: Color32 = rgb(0xfaf5ee);
/// The lamp over photos, the same in both themes.
pub(super) const LAMP_OVER_PHOTO: Color32 = rgb(0xff7a4d);
/// Behind dialogs.
pub(super) const VEIL: Color32 = Color32::from_rgba_premultiplied(6, 5, 4, 150);
