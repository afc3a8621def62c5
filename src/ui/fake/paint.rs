//! Painted landscapes, so that a made-up library looks like one.
//!
//! Every picture is computed from two numbers: the scene, shared by the shots of an outing, and
//! the shot.

use crate::client::Pixels;

type Rgb = [f32; 3];

/// A number that looks random and is always the same for the same question.
pub(super) fn dice(seed: u64, salt: u64) -> u64 {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt.wrapping_mul(0xd1b5_4a32_d192_ed03);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A picture of a scene with this longest side.
pub(super) fn picture(scene: u64, shot: u64, side: u32, tall: bool) -> Pixels {
    let short = side * 3 / 4;
    let (width, height) = if tall { (short, side) } else { (side, short) };
    let look = Landscape::new(scene, shot);
    let mut rgba = Vec::with_capacity(usize::try_from(width * height * 4).unwrap_or(0));
    for y in 0..height {
        for x in 0..width {
            let at = [unit(x, width), unit(y, height)];
            for channel in look.color(at, f(width) / f(height)) {
                rgba.push(byte(channel));
            }
            rgba.push(255);
        }
    }
    Pixels { width, height, rgba: rgba.into() }
}

#[expect(clippy::cast_precision_loss, reason = "a pixel's place")]
fn f(n: u32) -> f32 {
    n as f32
}

fn unit(at: u32, of: u32) -> f32 {
    (f(at) + 0.5) / f(of)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
fn byte(channel: f32) -> u8 {
    (channel.clamp(0.0, 1.0) * 255.0) as u8
}

/// A number from 0 to 1 that belongs to a seed and a salt.
#[expect(clippy::cast_precision_loss, reason = "one of a thousand")]
fn chance(seed: u64, salt: u64) -> f32 {
    (dice(seed, salt) % 1000) as f32 / 1000.0
}

fn mix(a: Rgb, b: Rgb, t: f32) -> Rgb {
    let t = t.clamp(0.0, 1.0);
    [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t]
}

fn smooth(edge0: f32, edge1: f32, x: f32) -> f32 {
    let t = ((x - edge0) / (edge1 - edge0)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Smooth noise in one dimension, 0 to 1.
fn noise(seed: u64, x: f32) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "a cell of the noise")]
    let cell = x.floor() as i64;
    let at = |i: i64| chance(seed, i.unsigned_abs() + if i < 0 { 1 << 40 } else { 0 });
    let t = x - x.floor();
    let t = t * t * (3.0 - 2.0 * t);
    at(cell) + (at(cell + 1) - at(cell)) * t
}

fn ridge(seed: u64, x: f32) -> f32 {
    noise(seed, x * 3.0) * 0.6 + noise(seed + 1, x * 9.0) * 0.28 + noise(seed + 2, x * 27.0) * 0.12
}

struct Landscape {
    kind: u64,
    seed: u64,
    shift: f32,
    sky: [Rgb; 2],
    land: [Rgb; 2],
    sun: [f32; 2],
    horizon: f32,
}

/// Sky from the top down, and land from far to near.
const PALETTES: [([Rgb; 2], [Rgb; 2]); 8] = [
    ([[0.16, 0.24, 0.44], [0.98, 0.66, 0.42]], [[0.42, 0.34, 0.44], [0.10, 0.09, 0.14]]),
    ([[0.30, 0.56, 0.82], [0.84, 0.92, 0.96]], [[0.46, 0.60, 0.52], [0.12, 0.26, 0.14]]),
    ([[0.52, 0.66, 0.80], [0.96, 0.90, 0.84]], [[0.72, 0.76, 0.82], [0.34, 0.40, 0.48]]),
    ([[0.10, 0.12, 0.26], [0.72, 0.36, 0.44]], [[0.26, 0.18, 0.30], [0.05, 0.04, 0.08]]),
    ([[0.38, 0.60, 0.76], [0.98, 0.92, 0.76]], [[0.90, 0.70, 0.46], [0.56, 0.34, 0.20]]),
    ([[0.56, 0.60, 0.64], [0.82, 0.84, 0.84]], [[0.40, 0.46, 0.44], [0.14, 0.18, 0.16]]),
    ([[0.24, 0.44, 0.66], [0.98, 0.84, 0.62]], [[0.52, 0.54, 0.34], [0.24, 0.26, 0.10]]),
    ([[0.86, 0.66, 0.58], [0.99, 0.90, 0.80]], [[0.62, 0.50, 0.52], [0.28, 0.22, 0.28]]),
];

impl Landscape {
    fn new(scene: u64, shot: u64) -> Self {
        let index = usize::try_from(dice(scene, 1) % 8).unwrap_or(0);
        let (sky, land) = PALETTES[index];
        Self {
            kind: dice(scene, 2) % 6,
            seed: scene,
            shift: chance(shot, 4) * 3.0,
            sky,
            land,
            sun: [0.15 + 0.7 * chance(shot, 5), 0.18 + 0.3 * chance(scene, 6)],
            horizon: 0.46 + 0.16 * chance(shot, 7),
        }
    }

    fn color(&self, at: [f32; 2], aspect: f32) -> Rgb {
        match self.kind {
            0 | 1 => self.mountains(at, aspect),
            2 => self.sea(at, aspect),
            3 => self.meadow(at, aspect),
            4 => self.lights(at, aspect),
            _ => self.flower(at, aspect),
        }
    }

    fn heaven(&self, [x, y]: [f32; 2], aspect: f32) -> Rgb {
        let base = mix(self.sky[0], self.sky[1], (y / self.horizon).powf(1.3));
        let far = ((x - self.sun[0]) * aspect).hypot(y - self.sun[1]);
        let glow = mix(base, [1.0, 0.94, 0.82], 0.55 * (-far * far * 9.0).exp());
        let cloud =
            noise(self.seed, x * 4.0 + y * 9.0 + self.shift) * noise(self.seed + 9, y * 22.0 + x * 2.0);
        let glow = mix(glow, [1.0, 0.97, 0.94], 0.3 * smooth(0.35, 0.8, cloud));
        mix(glow, [1.0, 0.97, 0.88], 1.0 - smooth(0.045, 0.055, far))
    }

    fn mountains(&self, [x, y]: [f32; 2], aspect: f32) -> Rgb {
        let mut color = self.heaven([x, y], aspect);
        for layer in 0_u16..4 {
            let depth = f32::from(layer) / 3.0;
            let wave = ridge(self.seed + u64::from(layer) * 31, x * aspect * (0.7 + depth) + self.shift);
            let top = self.horizon - 0.22 + depth * 0.36 - wave * (0.26 - depth * 0.08);
            let land = mix(self.land[0], self.land[1], depth);
            let haze = mix(land, self.sky[1], (0.5 - depth * 0.5).max(0.0) * smooth(top, top + 0.3, y));
            color = mix(color, haze, smooth(top - 0.002, top + 0.004, y));
        }
        color
    }

    fn sea(&self, [x, y]: [f32; 2], aspect: f32) -> Rgb {
        let color = self.heaven([x, y], aspect);
        if y < self.horizon {
            return color;
        }
        let depth = (y - self.horizon) / (1.0 - self.horizon);
        let water = mix(mix(self.sky[1], self.sky[0], 0.55), [0.04, 0.10, 0.16], depth * 0.8);
        let wave = noise(self.seed + 3, y * 160.0 / (0.3 + depth) + noise(self.seed + 4, x * 9.0) * 3.0);
        let near_sun = (-((x - self.sun[0]) * aspect / (0.05 + depth * 0.16)).powi(2)).exp();
        let water = mix(water, [1.0, 0.92, 0.78], near_sun * (0.2 + 0.7 * wave));
        let water = mix(water, [0.9, 0.95, 1.0], 0.08 * wave);
        let shore = 0.86 + 0.08 * noise(self.seed + 8, x * 3.0 + self.shift);
        mix(water, mix([0.86, 0.76, 0.60], [0.66, 0.54, 0.40], depth), smooth(shore, shore + 0.02, y))
    }

    fn meadow(&self, [x, y]: [f32; 2], aspect: f32) -> Rgb {
        let mut color = self.heaven([x, y], aspect);
        for layer in 0_u16..3 {
            let depth = f32::from(layer) / 2.0;
            let roll = noise(self.seed + u64::from(layer) * 7, x * aspect * 1.6 + self.shift + depth * 2.0);
            let trees = noise(self.seed + 50 + u64::from(layer), x * aspect * (60.0 - depth * 25.0)) * 0.035;
            let top = self.horizon + depth * 0.2 - roll * 0.16 - trees * (1.0 - depth);
            let grass = mix([0.44, 0.56, 0.40], [0.20, 0.34, 0.12], depth);
            let blade = noise(self.seed + 77, x * 300.0 + y * 90.0) * 0.12 * depth;
            let grass =
                mix(grass, [0.86, 0.84, 0.42], blade + 0.12 * noise(self.seed + 5, x * 5.0 + y * 8.0));
            color = mix(color, grass, smooth(top - 0.002, top + 0.004, y));
        }
        color
    }

    fn lights(&self, [x, y]: [f32; 2], aspect: f32) -> Rgb {
        let mut color = mix([0.05, 0.05, 0.09], [0.16, 0.10, 0.12], y + 0.2 * noise(self.seed, x * 4.0));
        for i in 0..26 {
            let center = [chance(self.seed, 100 + i), 0.2 + 0.7 * chance(self.seed, 200 + i)];
            let r = 0.03 + 0.08 * chance(self.seed, 300 + i);
            let drift = (self.shift - 1.5) * 0.03;
            let far = ((x - center[0] + drift) * aspect).hypot(y - center[1]);
            let warm = chance(self.seed, 400 + i);
            let light = mix([1.0, 0.62, 0.28], [0.98, 0.86, 0.66], warm);
            let light = if i % 5 == 0 { [0.42, 0.62, 0.86] } else { light };
            let rim = smooth(r * 0.6, r, far) * 0.25 + 0.45;
            color = mix(color, light, rim * (1.0 - smooth(r * 0.94, r, far)) * 0.8);
        }
        color
    }

    fn flower(&self, [x, y]: [f32; 2], aspect: f32) -> Rgb {
        let leaf =
            mix([0.22, 0.32, 0.18], [0.52, 0.58, 0.34], noise(self.seed, x * 2.0 + y * 1.4 + self.shift));
        let bokeh = noise(self.seed + 2, x * 5.0) * noise(self.seed + 3, y * 5.0);
        let back = mix(leaf, [0.86, 0.88, 0.62], 0.5 * smooth(0.3, 0.8, bokeh));
        let center = [0.35 + 0.3 * chance(self.seed, 11) + 0.03 * self.shift, 0.5];
        let (dx, dy) = ((x - center[0]) * aspect, y - center[1]);
        let (far, angle) = (dx.hypot(dy), dy.atan2(dx) + self.shift);
        let petals = 5.0 + (chance(self.seed, 12) * 8.0).floor();
        let r = 0.27 + 0.07 * (angle * petals).cos();
        let tint = [
            0.84 + 0.14 * chance(self.seed, 13),
            0.30 + 0.56 * chance(self.seed, 14),
            0.40 + 0.4 * chance(self.seed, 15),
        ];
        let vein = 0.08 * (angle * petals * 6.0).cos();
        let petal = mix(mix(tint, [1.0, 0.98, 0.96], 0.45 + vein), tint, smooth(0.32, 0.06, far));
        let color = mix(petal, back, smooth(r - 0.012, r + 0.012, far));
        let seeds =
            mix([0.86, 0.62, 0.16], [0.46, 0.26, 0.08], noise(self.seed + 6, far * 90.0 + angle * 9.0));
        mix(seeds, color, smooth(0.068, 0.078, far))
    }
}
