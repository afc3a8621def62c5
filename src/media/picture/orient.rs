//! Turns and mirrors pixels as EXIF's orientation says.

use super::Rgba;

/// The orientation that undoes this one.
pub fn inverse(orientation: u8) -> u8 {
    match orientation {
        6 => 8,
        8 => 6,
        other => other,
    }
}

/// The picture upright, given the orientation it is stored in (1–8; anything else is 1).
pub fn turn(picture: Rgba, orientation: u8) -> Rgba {
    if !(2..=8).contains(&orientation) {
        return picture;
    }
    let (from_width, from_height) = (picture.width as usize, picture.height as usize);
    let is_turned = orientation >= 5;
    let (width, height) = if is_turned { (from_height, from_width) } else { (from_width, from_height) };
    let mut data = Vec::with_capacity(picture.data.len());
    let (last_x, last_y) = (from_width.saturating_sub(1), from_height.saturating_sub(1));
    for y in 0..height {
        for x in 0..width {
            let (from_x, from_y) = match orientation {
                2 => (last_x - x, y),
                3 => (last_x - x, last_y - y),
                4 => (x, last_y - y),
                5 => (y, x),
                6 => (y, last_y - x),
                7 => (last_x - y, last_y - x),
                _ => (last_x - y, x),
            };
            let at = (from_y * from_width + from_x) * 4;
            data.extend_from_slice(picture.data.get(at..at + 4).unwrap_or(&[0; 4]));
        }
    }
    let (width, height) =
        if is_turned { (picture.height, picture.width) } else { (picture.width, picture.height) };
    Rgba { width, height, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two columns, three rows: a b / c d / e f.
    fn letters(text: &str) -> Rgba {
        let rows: Vec<&str> = text.split('/').collect();
        let width = u32::try_from(rows[0].len()).expect("small");
        let height = u32::try_from(rows.len()).expect("small");
        Rgba { width, height, data: rows.concat().bytes().flat_map(|b| [b; 4]).collect() }
    }

    #[test]
    fn all_eight() {
        for (orientation, expected) in [
            (0, "ab/cd/ef"),
            (1, "ab/cd/ef"),
            (2, "ba/dc/fe"),
            (3, "fe/dc/ba"),
            (4, "ef/cd/ab"),
            (5, "ace/bdf"),
            (6, "eca/fdb"),
            (7, "fdb/eca"),
            (8, "bdf/ace"),
            (9, "ab/cd/ef"),
        ] {
            let turned = turn(letters("ab/cd/ef"), orientation);
            assert_eq!(turned, letters(expected), "{orientation}");
            assert_eq!(turn(turned, inverse(orientation)), letters("ab/cd/ef"), "{orientation} undone");
        }
    }
}
