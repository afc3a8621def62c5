//! What is known of one photo: when, with what, which files, and the evidence for each copy.

use std::collections::BTreeSet;

use eframe::egui::{Label, RichText, ScrollArea, TextStyle, Ui};

use crate::api::{AssetDetails, CopyDetails, ResourceDetails, Selection};
use crate::domain::accounting::Bin;
use crate::domain::asset::{DateDoubt, DateSource, ResourceKind};
use crate::domain::format;
use crate::ui::commands::{Command, Verb};
use crate::ui::icons::Icon;
use crate::ui::library::cells::type_label;
use crate::ui::numbers::ratio;
use crate::ui::queue::decision_lines;
use crate::ui::remedy::{self, can_retry};
use crate::ui::screen_context::ScreenContext;
use crate::ui::theme::{space, tokens};
use crate::ui::widgets::{self, Kind};

/// Decisions shown for one copy; the queue shows the rest.
const DECISIONS_SHOWN: usize = 3;

pub(super) fn ui(
    ui: &mut Ui,
    env: &mut ScreenContext<'_>,
    details: Option<&AssetDetails>,
    folds: &mut BTreeSet<String>,
) {
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        eframe::egui::Frame::new().inner_margin(24.0).show(ui, |ui| {
            let Some(details) = details else { return };
            ui.spacing_mut().item_spacing.y = space::XS;
            ui.spacing_mut().interact_size.y = 18.0;
            about(ui, details);
            ui.add_space(space::XL);
            for resource in &details.resources {
                file(ui, env, resource, folds);
                ui.add_space(space::L);
            }
        });
    });
}

fn about(ui: &mut Ui, details: &AssetDetails) {
    let row = &details.row;
    widgets::section_title(ui, row.path.file_name());
    let folder = row.path.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let folder = widgets::note(ui, folder);
    ui.add(Label::new(folder).wrap());
    ui.add_space(space::M);
    let mut when = format::long_time(row.captured_wall_ms);
    if let Some(offset) = details.offset_minutes {
        when += &format!(" {}", format::utc_offset(offset));
    }
    fact(ui, "Taken", &when, date_source(&details.captured_from));
    if let Some(doubt) = details.date_doubt.as_deref().map(date_doubt).filter(|doubt| !doubt.is_empty()) {
        let note = widgets::note(ui, doubt);
        ui.add(Label::new(note).wrap());
        ui.add_space(space::S);
    }
    if let Some(camera) = &details.camera {
        fact(ui, "Camera", camera, "");
    }
    if let Some((width, height)) = row.dimensions {
        let megapixels = ratio(u64::from(width) * u64::from(height), 100_000).round() / 10.0;
        let size = format!("{} × {}", format::number(width.into()), format::number(height.into()));
        let noun = if (megapixels - 1.0).abs() < 0.01 { "megapixel" } else { "megapixels" };
        let megapixels = (megapixels > 0.0).then(|| format!("{megapixels} {noun}"));
        fact(ui, "Dimensions", &size, megapixels.as_deref().unwrap_or_default());
    }
    let all: u64 = details.resources.iter().map(|r| r.size).sum();
    let several = details.resources.len() > 1;
    let more = if several { format!("in {} files", details.resources.len()) } else { String::new() };
    fact(ui, "Size", &format::bytes(all), &more);
}

/// Where a date comes from, as a person says it.
fn date_source(name: &str) -> &'static str {
    match DateSource::parse(name) {
        Some(DateSource::Metadata) => "as recorded by the camera",
        Some(DateSource::Sidecar) => "from its sidecar",
        Some(DateSource::FileName) => "from the file's name",
        Some(DateSource::ModifiedTag) => "date of the last edit",
        Some(DateSource::ModifiedTime) => "file's modified date",
        None => "",
    }
}

/// Why a date is not to be trusted, as a person says it.
fn date_doubt(name: &str) -> &'static str {
    match DateDoubt::parse(name) {
        Some(DateDoubt::CameraDefault) => "Doubtful date: the camera's clock was probably never set",
        Some(DateDoubt::Future) => "Doubtful date: it is in the future",
        None => "",
    }
}

fn fact(ui: &mut Ui, what: &str, value: &str, more: &str) {
    let label = widgets::note(ui, what);
    ui.label(label);
    ui.add(Label::new(value).wrap());
    if !more.is_empty() {
        let more = widgets::note(ui, more);
        ui.label(more);
    }
    ui.add_space(space::S);
}

fn kind_label(kind: &str) -> &'static str {
    match ResourceKind::parse(kind) {
        Some(ResourceKind::Photo) => "Photo",
        Some(ResourceKind::Video) => "Video",
        Some(ResourceKind::PairedVideo) => "Live photo video",
        Some(ResourceKind::AlternatePhoto) => "RAW of the same shot",
        Some(ResourceKind::Sidecar) => "Sidecar",
        Some(ResourceKind::AdjustedPhoto) => "Edited version",
        None => "File",
    }
}

fn file(ui: &mut Ui, env: &mut ScreenContext<'_>, resource: &ResourceDetails, folds: &mut BTreeSet<String>) {
    let text = format!(
        "{}, {}, {}",
        kind_label(&resource.kind),
        type_label(&resource.media_type),
        format::bytes(resource.size)
    );
    ui.add(Label::new(resource.path.file_name()).truncate());
    let note = widgets::note(ui, text);
    ui.label(note);
    if resource.is_mismatch {
        let text = "The file's type does not match its name; it is backed up unchanged";
        let note = widgets::note(ui, text);
        ui.add(Label::new(note).wrap());
    }
    ui.add_space(space::XS);
    if resource.copies.is_empty() {
        let none = widgets::weak(ui, "Not backed up to any destination");
        ui.label(none);
    }
    for copy in &resource.copies {
        evidence(ui, env, resource, copy);
    }
    proof_details(ui, resource, folds);
}

/// Icon and sentence of a copy's state.
fn state(copy: &CopyDetails) -> (Icon, String) {
    let at = &copy.destination;
    match Bin::parse(&copy.bin) {
        Some(Bin::Safe) => (Icon::Safe, format!("Safe in {at}")),
        Some(Bin::Unproven) => (Icon::Unproven, format!("Copied to {at}, not verified")),
        Some(Bin::Waiting) | None => (Icon::Waiting, format!("Waiting for {at}")),
        Some(Bin::Uploading) => (Icon::Uploading, format!("Uploading to {at}")),
        Some(Bin::NeedsAttention) => (Icon::Attention, format!("Needs attention at {at}")),
        Some(Bin::Excluded) => (Icon::Excluded, format!("Left out at {at}")),
    }
}

fn evidence(ui: &mut Ui, env: &mut ScreenContext<'_>, resource: &ResourceDetails, copy: &CopyDetails) {
    let t = tokens(ui);
    let (icon, text) = state(copy);
    let color = if icon == Icon::Attention { t.accent } else { t.text };
    ui.horizontal(|ui| {
        widgets::mark(ui, icon, 18.0, color);
        ui.add(Label::new(RichText::new(text).color(color)).wrap());
    });
    let mut more = Vec::new();
    if let Some(proof) = &copy.proof {
        let when = copy.proved_at.as_deref().and_then(format::parse_time);
        let when = when.map_or_else(String::new, |then| format!(", {}", format::age(then, env.model.now)));
        more.push(format::capitalize(&format!("{proof}{when}")));
    }
    if let Some(wait) = &copy.wait_reason {
        more.push(wait.summary.clone());
    }
    if let Some(failure) = &copy.failure {
        more.push(failure.summary.clone());
        more.push(failure.advice.clone());
    }
    more.extend(decision_lines(&copy.decisions, env.model.now).take(DECISIONS_SHOWN));
    for line in more {
        ui.horizontal(|ui| {
            ui.add_space(18.0 + space::S);
            let line = widgets::note(ui, line);
            ui.add(Label::new(line).wrap());
        });
    }
    if Bin::parse(&copy.bin) == Some(Bin::NeedsAttention) {
        mend(ui, env, resource, copy);
    }
}

/// What mends a copy that needs attention, and retrying beside it.
fn mend(ui: &mut Ui, env: &mut ScreenContext<'_>, resource: &ResourceDetails, copy: &CopyDetails) {
    let Some(failure) = &copy.failure else { return };
    let these = Selection::Items(vec![copy.id.clone()]);
    let model = env.model;
    let subject = remedy::Subject {
        failure,
        destination: remedy::destination_named(&model.snapshot, &copy.destination),
        file: Some(&resource.path),
        selection: these.clone(),
        what: resource.path.file_name(),
    };
    ui.horizontal_wrapped(|ui| {
        let has_remedy = remedy::button(ui, env, &subject);
        let kind = if has_remedy { Kind::Quiet } else { Kind::Normal };
        let name = format!("Retry in {}", copy.destination);
        if can_retry(failure) && widgets::named_button(ui, kind, "Retry", &name).clicked() {
            env.out.push(Command::change(Verb::Retry, these, "the copy"));
        }
    });
}

fn proof_details(ui: &mut Ui, resource: &ResourceDetails, folds: &mut BTreeSet<String>) {
    let keys: Vec<_> =
        resource.copies.iter().filter_map(|c| Some((&c.destination, c.key.as_ref()?))).collect();
    if keys.is_empty() && resource.blake3.is_none() {
        return;
    }
    let mut open = folds.contains(&resource.path.path);
    let name = format!("Where it is, {}", resource.path.file_name());
    if widgets::fold(ui, &mut open, "Where it is", &name) {
        for (destination, key) in keys {
            mono(ui, &format!("In {destination}"), key);
        }
        if let Some(digest) = &resource.blake3 {
            mono(ui, "BLAKE3", digest);
        }
    }
    if open {
        folds.insert(resource.path.path.clone());
    } else {
        folds.remove(&resource.path.path);
    }
}

fn mono(ui: &mut Ui, what: &str, text: &str) {
    let label = widgets::note(ui, what);
    ui.label(label);
    let t = tokens(ui);
    let text = RichText::new(text).text_style(TextStyle::Monospace).color(t.weak);
    ui.add(Label::new(text).wrap().selectable(true));
}
