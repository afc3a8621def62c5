//! Line icons, drawn here so that they share one weight and one grid.
//!
//! Each is drawn on a grid of 24 with a stroke of 1.6. An icon is never the only carrier of a
//! meaning: the control around it has a name.

use std::f32::consts::{PI, TAU};

use eframe::egui::{Color32, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, Vec2, pos2, vec2};

use super::numbers::points;

/// The icons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Icon {
    /// A photo among photos.
    Library,
    /// Lines on their way up.
    Queue,
    /// A disk.
    Disk,
    /// A cloud.
    Cloud,
    /// Two boxes with lights.
    Server,
    /// A bucket.
    Bucket,
    /// Petals around a point.
    PhotoServer,
    /// An arrow up that was broken off and goes on.
    Resumable,
    /// An arrow down into a tray.
    Restore,
    /// Sliders.
    Settings,
    /// A tick in a ring.
    Safe,
    /// A clock.
    Waiting,
    /// An arrow up.
    Uploading,
    /// A triangle with a mark.
    Attention,
    /// A broken ring with a tick.
    Unproven,
    /// A ring with a bar.
    Excluded,
    /// Rings around a point.
    Live,
    /// A triangle that plays.
    Video,
    /// A picture without pixels.
    Picture,
    /// A folder.
    Folder,
    /// A folder with an arrow out of it.
    ShowInFolder,
    /// A plus.
    Plus,
    /// A minus.
    Minus,
    /// A cross.
    Close,
    /// Two bars.
    Pause,
    /// A triangle.
    Play,
    /// A round arrow.
    Retry,
    /// An i.
    Info,
    /// To the left.
    Left,
    /// To the right.
    Right,
    /// Down.
    Down,
    /// A tick.
    Tick,
    /// Corners.
    Fit,
}

struct Pen<'a> {
    painter: &'a Painter,
    rect: Rect,
    color: Color32,
    stroke: Stroke,
}

impl Pen<'_> {
    fn at(&self, x: f32, y: f32) -> Pos2 {
        self.rect.min + vec2(x / 24.0 * self.rect.width(), y / 24.0 * self.rect.height())
    }

    fn len(&self, units: f32) -> f32 {
        units / 24.0 * self.rect.width()
    }

    fn line(&self, path: &[(f32, f32)]) {
        let path: Vec<Pos2> = path.iter().map(|&(x, y)| self.at(x, y)).collect();
        for end in [path.first(), path.last()].into_iter().flatten() {
            self.painter.circle_filled(*end, self.stroke.width / 2.0, self.color);
        }
        self.painter.add(Shape::line(path, self.stroke));
    }

    fn closed(&self, path: &[(f32, f32)]) {
        let path = path.iter().map(|&(x, y)| self.at(x, y)).collect();
        self.painter.add(Shape::closed_line(path, self.stroke));
    }

    fn filled(&self, path: &[(f32, f32)]) {
        let path = path.iter().map(|&(x, y)| self.at(x, y)).collect();
        self.painter.add(Shape::convex_polygon(path, self.color, Stroke::NONE));
    }

    fn ring(&self, x: f32, y: f32, r: f32) {
        self.painter.circle_stroke(self.at(x, y), self.len(r), self.stroke);
    }

    fn dot(&self, x: f32, y: f32, r: f32) {
        self.painter.circle_filled(self.at(x, y), self.len(r), self.color);
    }

    fn frame(&self, x0: f32, y0: f32, x1: f32, y1: f32, r: f32) {
        let rect = Rect::from_min_max(self.at(x0, y0), self.at(x1, y1));
        self.painter.rect_stroke(rect, self.len(r), self.stroke, StrokeKind::Middle);
    }

    fn arc(&self, x: f32, y: f32, r: f32, from: f32, to: f32) {
        let path = arc(self.at(x, y), self.len(r), from, to);
        self.painter.add(Shape::line(path, self.stroke));
    }
}

/// Points along a part of a circle; angles in radians, clockwise from the right.
pub(super) fn arc(center: Pos2, radius: f32, from: f32, to: f32) -> Vec<Pos2> {
    const STEPS: usize = 24;
    (0..=STEPS)
        .map(|i| {
            let angle = from + (to - from) * points(i) / points(STEPS);
            center + radius * Vec2::angled(angle)
        })
        .collect()
}

/// Draws an icon into a square.
pub(super) fn paint(painter: &Painter, icon: Icon, rect: Rect, color: Color32) {
    let side = rect.width().min(rect.height());
    let rect = Rect::from_center_size(rect.center(), Vec2::splat(side));
    let stroke = Stroke::new((side / 24.0 * 1.7).max(1.2), color);
    let pen = Pen { painter, rect, color, stroke };
    match icon {
        Icon::Library
        | Icon::Queue
        | Icon::Disk
        | Icon::Restore
        | Icon::Settings
        | Icon::Picture
        | Icon::Folder
        | Icon::ShowInFolder => paint_thing(&pen, icon),
        Icon::Cloud | Icon::Server | Icon::Bucket | Icon::PhotoServer | Icon::Resumable => {
            paint_kind(&pen, icon);
        }
        Icon::Safe
        | Icon::Waiting
        | Icon::Uploading
        | Icon::Attention
        | Icon::Unproven
        | Icon::Excluded
        | Icon::Live
        | Icon::Video => paint_state(&pen, icon),
        _ => paint_sign(&pen, icon),
    }
}

fn paint_thing(pen: &Pen<'_>, icon: Icon) {
    match icon {
        Icon::Library => {
            pen.frame(3.5, 5.5, 20.5, 19.5, 3.0);
            pen.line(&[(4.2, 17.0), (9.2, 12.0), (13.0, 15.6), (15.6, 13.2), (19.8, 17.0)]);
            pen.dot(15.4, 9.4, 1.5);
        }
        Icon::Queue => {
            pen.line(&[(4.0, 6.5), (12.0, 6.5)]);
            pen.line(&[(4.0, 12.0), (12.0, 12.0)]);
            pen.line(&[(4.0, 17.5), (9.0, 17.5)]);
            pen.line(&[(17.5, 18.5), (17.5, 6.5)]);
            pen.line(&[(14.0, 10.0), (17.5, 6.5), (21.0, 10.0)]);
        }
        Icon::Restore => {
            pen.line(&[(12.0, 4.5), (12.0, 14.5)]);
            pen.line(&[(7.8, 10.5), (12.0, 14.7), (16.2, 10.5)]);
            pen.line(&[(4.5, 15.0), (4.5, 19.5), (19.5, 19.5), (19.5, 15.0)]);
        }
        Icon::Disk => {
            pen.frame(3.5, 12.5, 20.5, 19.5, 2.5);
            pen.line(&[(3.9, 13.6), (6.6, 5.5), (17.4, 5.5), (20.1, 13.6)]);
            pen.dot(16.8, 16.0, 1.2);
        }
        Icon::Settings => {
            for (y, x) in [(6.5, 15.5), (12.0, 8.5), (17.5, 13.5)] {
                pen.line(&[(3.5, y), (x - 2.4, y)]);
                pen.line(&[(x + 2.4, y), (20.5, y)]);
                pen.ring(x, y, 2.2);
            }
        }
        Icon::Picture => {
            pen.frame(4.0, 5.0, 20.0, 19.0, 2.5);
            pen.line(&[(4.6, 16.6), (9.4, 12.0), (13.0, 15.4), (15.4, 13.2), (19.4, 16.6)]);
            pen.dot(15.2, 9.2, 1.4);
        }
        _ => {
            pen.line(&[
                (4.0, 8.8),
                (4.0, 6.2),
                (9.6, 6.2),
                (11.8, 8.8),
                (20.0, 8.8),
                (20.0, 18.8),
                (4.0, 18.8),
                (4.0, 8.8),
            ]);
            if icon == Icon::ShowInFolder {
                pen.line(&[(9.0, 13.8), (15.0, 13.8)]);
                pen.line(&[(12.8, 11.6), (15.0, 13.8), (12.8, 16.0)]);
            }
        }
    }
}

/// What kind of destination it is.
fn paint_kind(pen: &Pen<'_>, icon: Icon) {
    match icon {
        Icon::Cloud => {
            pen.line(&[(7.6, 18.6), (17.2, 18.6)]);
            pen.arc(7.6, 14.6, 4.0, PI / 2.0, PI * 1.5);
            pen.arc(11.6, 10.8, 4.9, PI * 1.14, PI * 1.93);
            pen.arc(17.0, 14.4, 4.2, -PI * 0.42, PI / 2.0);
        }
        Icon::Server => {
            for y in [4.5, 13.0] {
                pen.frame(4.0, y, 20.0, y + 6.5, 2.0);
                pen.dot(7.8, y + 3.25, 1.15);
                pen.line(&[(12.5, y + 3.25), (16.8, y + 3.25)]);
            }
        }
        Icon::Bucket => {
            pen.line(&[(4.6, 7.2), (6.6, 19.0), (17.4, 19.0), (19.4, 7.2)]);
            pen.closed(&[(4.6, 7.2), (7.0, 5.2), (17.0, 5.2), (19.4, 7.2), (17.0, 9.0), (7.0, 9.0)]);
        }
        Icon::PhotoServer => {
            for i in 0..5 {
                let angle = TAU * points(i) / 5.0 - PI / 2.0;
                pen.ring(12.0 + 5.0 * angle.cos(), 12.4 + 5.0 * angle.sin(), 3.0);
            }
            pen.dot(12.0, 12.4, 1.5);
        }
        _ => {
            pen.line(&[(12.0, 13.2), (12.0, 4.5)]);
            pen.line(&[(7.0, 9.5), (12.0, 4.5), (17.0, 9.5)]);
            pen.line(&[(12.0, 16.2), (12.0, 16.8)]);
            pen.line(&[(12.0, 19.6), (12.0, 20.0)]);
        }
    }
}

fn paint_state(pen: &Pen<'_>, icon: Icon) {
    match icon {
        Icon::Safe => {
            pen.ring(12.0, 12.0, 8.5);
            pen.line(&[(8.2, 12.4), (11.0, 15.0), (15.8, 9.6)]);
        }
        Icon::Waiting => {
            pen.ring(12.0, 12.0, 8.5);
            pen.line(&[(12.0, 7.5), (12.0, 12.3), (15.2, 14.2)]);
        }
        Icon::Uploading => {
            pen.line(&[(12.0, 19.0), (12.0, 5.5)]);
            pen.line(&[(6.5, 11.0), (12.0, 5.5), (17.5, 11.0)]);
        }
        Icon::Attention => {
            pen.closed(&[(12.0, 4.2), (21.0, 19.6), (3.0, 19.6)]);
            pen.line(&[(12.0, 10.0), (12.0, 14.0)]);
            pen.dot(12.0, 16.8, 1.15);
        }
        Icon::Unproven => {
            for i in 0..8 {
                let from = TAU * points(i) / 8.0;
                pen.arc(12.0, 12.0, 8.5, from, from + TAU / 14.0);
            }
            pen.line(&[(8.2, 12.4), (11.0, 15.0), (15.8, 9.6)]);
        }
        Icon::Excluded => {
            pen.ring(12.0, 12.0, 8.5);
            pen.line(&[(6.2, 17.8), (17.8, 6.2)]);
        }
        Icon::Live => {
            pen.dot(12.0, 12.0, 3.2);
            pen.ring(12.0, 12.0, 8.6);
        }
        _ => pen.filled(&[(7.5, 5.0), (19.0, 12.0), (7.5, 19.0)]),
    }
}

fn paint_sign(pen: &Pen<'_>, icon: Icon) {
    match icon {
        Icon::Plus => {
            pen.line(&[(12.0, 5.5), (12.0, 18.5)]);
            pen.line(&[(5.5, 12.0), (18.5, 12.0)]);
        }
        Icon::Minus => pen.line(&[(5.5, 12.0), (18.5, 12.0)]),
        Icon::Close => {
            pen.line(&[(6.5, 6.5), (17.5, 17.5)]);
            pen.line(&[(17.5, 6.5), (6.5, 17.5)]);
        }
        Icon::Pause => {
            pen.line(&[(8.8, 6.0), (8.8, 18.0)]);
            pen.line(&[(15.2, 6.0), (15.2, 18.0)]);
        }
        Icon::Play => pen.closed(&[(8.0, 5.5), (18.5, 12.0), (8.0, 18.5)]),
        Icon::Retry => {
            pen.arc(12.0, 12.0, 7.4, -0.35, TAU - 1.25);
            pen.line(&[(19.4, 4.6), (19.1, 9.6), (14.1, 9.3)]);
        }
        Icon::Info => {
            pen.ring(12.0, 12.0, 8.5);
            pen.line(&[(12.0, 11.2), (12.0, 16.2)]);
            pen.dot(12.0, 8.0, 1.15);
        }
        Icon::Left => pen.line(&[(14.8, 5.5), (8.2, 12.0), (14.8, 18.5)]),
        Icon::Right => pen.line(&[(9.2, 5.5), (15.8, 12.0), (9.2, 18.5)]),
        Icon::Down => pen.line(&[(5.5, 9.2), (12.0, 15.8), (18.5, 9.2)]),
        Icon::Fit => {
            pen.line(&[(4.5, 9.0), (4.5, 4.5), (9.0, 4.5)]);
            pen.line(&[(15.0, 4.5), (19.5, 4.5), (19.5, 9.0)]);
            pen.line(&[(19.5, 15.0), (19.5, 19.5), (15.0, 19.5)]);
            pen.line(&[(9.0, 19.5), (4.5, 19.5), (4.5, 15.0)]);
        }
        _ => pen.line(&[(5.5, 12.6), (10.2, 17.0), (18.5, 7.4)]),
    }
}

/// The mark of the application: a lamp over the edge of a photo.
pub(super) fn paint_mark(painter: &Painter, rect: Rect, lamp: Color32, edge: Color32) {
    let at = |x: f32, y: f32| pos2(rect.left() + x * rect.width(), rect.top() + y * rect.height());
    let dome = arc(at(0.5, 0.56), 0.36 * rect.width(), PI, TAU);
    painter.add(Shape::convex_polygon(dome, lamp, Stroke::NONE));
    let bar = Rect::from_min_max(at(0.1, 0.66), at(0.9, 0.76));
    painter.rect_filled(bar, bar.height() / 2.0, edge);
}
