//! One suite that every destination passes.
//!
//! A case knows a destination only through its trait, and the place behind it through [`Site`]:
//! what a person would see there with a file manager.

mod cases;
pub mod dav_servers;
mod hostile;
mod immich;
mod killed;
mod library;

mod parts;
pub mod s3;
pub mod s3_mock;
pub mod servers;
pub mod site;
pub mod source;
pub mod uploads;

use site::Site;

use crate::fakes::dav::Behavior;
use crate::fakes::immich::Generation;
use crate::fakes::nextcloud::NextcloudBehavior;
use crate::fakes::uploads::{Behavior as UploadBehavior, DownloadLocation};

/// Every case, once for each site. A `compiled` one is a server that `tests/release` compiles and tests.
macro_rules! suite {
    (compiled $site:ident, $open:expr, $cases:tt) => {
        suite!(@ignore = "skipped: tests/release compiles this server", $site, $open, $cases);
    };
    ($site:ident, $open:expr, $cases:tt) => {
        suite!(@cfg(all()), $site, $open, $cases);
    };
    (@$attribute:meta, $site:ident, $open:expr, [$($module:ident::$case:ident),* $(,)?]) => {
        mod $site {
            use super::*;
            $(
                // Two threads: what is read from a server is read by one while the other fetches it.
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                #[$attribute]
                async fn $case() {
                    $module::$case(&$open.await).await;
                }
            )*
        }
    };
}

/// What holds everywhere, and what only where copies have a temp name first.
macro_rules! suites {
    (everywhere: [$($common:tt)*], with_temps: [$($temps:tt)*]) => {
        suite!(disk, Site::disk(), [$($common)* $($temps)*]);
        suite!(shared_memory, Site::shared_memory(), [$($common)* $($temps)*]);
        suite!(memory, Site::memory(), [$($common)* $($temps)*]);
        suite!(fat, Site::fat(), [$($common)* $($temps)*]);
        suite!(replacing, Site::replacing(), [$($common)* $($temps)*]);
        suite!(dav, servers::dav(Behavior::default()), [$($common)* $($temps)*]);
        suite!(dav_replacing, servers::dav(servers::careless()), [$($common)* $($temps)*]);
        suite!(dav_folding, servers::dav(servers::folding()), [$($common)* $($temps)*]);
        suite!(nextcloud, servers::nextcloud(NextcloudBehavior::default()), [$($common)* $($temps)*]);
        suite!(nextcloud_older, servers::nextcloud(servers::older()), [$($common)* $($temps)*]);
        suite!(owncloud, servers::nextcloud(servers::own_cloud()), [$($common)* $($temps)*]);
        suite!(apache, servers::apache(), [$($common)* $($temps)*]);
        suite!(nginx, servers::nginx(), [$($common)* $($temps)*]);
        suite!(rclone, servers::rclone(), [$($common)* $($temps)*]);
        suite!(seaweed, s3::weed(), [$($common)*]);
        suite!(wsgidav, dav_servers::wsgidav(), [$($common)* $($temps)*]);
        suite!(sabre, dav_servers::sabre(), [$($common)* $($temps)*]);
        suite!(compiled dufs, dav_servers::dufs(), [$($common)* $($temps)*]);
        suite!(moto, s3_mock::moto(), [$($common)*]);
        suite!(rclone_s3, s3::rclone(), [$($common)*]);
        suite!(s3_strict, s3::fake(s3::strict()), [$($common)*]);
        suite!(s3_careless, s3::fake(s3::careless()), [$($common)*]);
    };
}

/// What a place that names its copies itself has in common with all others.
macro_rules! libraries {
    ($($cases:tt)*) => {
        suite!(immich_v2, library::site(Generation::V2), [$($cases)*]);
        suite!(immich_v3, library::site(Generation::V3), [$($cases)*]);
    };
}

libraries!(
    cases::every_size_arrives_is_proved_and_reads_back,
    cases::equal_bytes_are_adopted_unread,
    cases::an_empty_file_is_refused,
    cases::cancelled_before_it_begins_nothing_happens,
    cases::names_of_every_kind_are_kept_apart,
    cases::two_at_once_under_one_key_lose_nothing,
    cases::many_at_once_all_arrive,
    cases::what_is_not_there_is_not_found,
    killed::killed_at_every_checkpoint_it_ends_well,
    killed::a_changed_source_is_never_stored,
    killed::a_source_that_goes_is_only_its_own_trouble,
    killed::lost_answers_are_survived,
);

suites!(
    everywhere: [
        cases::every_size_arrives_is_proved_and_reads_back,
        cases::another_file_is_never_overwritten,
        cases::equal_bytes_are_adopted_unread,
        cases::an_empty_file_is_refused,
        cases::cancelled_before_it_begins_nothing_happens,
        cases::names_of_every_kind_are_kept_apart,
        cases::two_at_once_under_one_key_lose_nothing,
        cases::many_at_once_all_arrive,
        cases::what_is_not_there_is_not_found,
        cases::a_changed_copy_is_found_out,
        cases::a_probe_leaves_nothing_behind,
        cases::check_knows_the_place_again,
        hostile::keys_that_lead_elsewhere_are_refused,
        hostile::manifests_are_written_once_and_read_with_care,
        hostile::cleaning_takes_only_our_own,
        killed::a_cancelled_send_goes_on_where_it_was,
        killed::killed_at_every_checkpoint_it_ends_well,
        killed::without_the_store_nothing_is_named,
        killed::a_changed_source_is_never_stored,
        killed::a_source_that_goes_is_only_its_own_trouble,
        killed::lost_answers_are_survived,
    ],
    with_temps: [killed::a_wrong_start_is_thrown_away,]
);

/// Servers that name uploads themselves: nothing there has a name that another could take.
macro_rules! unnamed_suites {
    ($($cases:tt)*) => {
        suite!(tus_server, uploads::real_tus(), [$($cases)*]);
        suite!(compiled rustus, uploads::rustus(), [$($cases)*]);
        suite!(tus, uploads::fake(uploads::tus()), [$($cases)*]);
        suite!(tus_comparing_parts, uploads::fake(UploadBehavior { compares_parts: true, ..uploads::tus() }), [$($cases)*]);
        suite!(draft_3, uploads::fake(uploads::draft(3)), [$($cases)*]);
        suite!(draft_6, uploads::fake(uploads::draft(6)), [$($cases)*]);
        suite!(draft_9, uploads::fake(UploadBehavior {
            append_max: Some(1_000_000), gives: DownloadLocation::AtTheFile, keeps_finished: true, ..uploads::draft(9)
        }), [$($cases)*]);
    };
}

unnamed_suites!(
    cases::every_size_arrives_is_proved_and_reads_back,
    cases::an_empty_file_is_refused,
    cases::cancelled_before_it_begins_nothing_happens,
    cases::many_at_once_all_arrive,
    cases::what_is_not_there_is_not_found,
    hostile::keys_that_lead_elsewhere_are_refused,
    killed::killed_at_every_checkpoint_it_ends_well,
    killed::without_the_store_nothing_is_named,
    killed::a_changed_source_is_never_stored,
    killed::a_source_that_goes_is_only_its_own_trouble,
    uploads::stopped_four_times_it_goes_on_where_it_was,
    uploads::a_spoiled_copy_is_found_out_and_sent_again,
    uploads::a_probe_leaves_no_upload_behind,
);
