//! The files of one set at Immich: Live Photos, sidecars, albums and stacks.

use safelight::destination::{Companion, Item, Sent};
use safelight::domain::asset::ResourceKind;
use safelight::domain::cause::Cause;
use safelight::domain::failure::{FailureKind, Reach};
use safelight::domain::record::Evidence;

use super::super::source::bytes;
use super::{Bench, companion};
use crate::fakes::immich::KEY;

#[tokio::test]
async fn the_halves_of_a_live_photo_become_one() {
    for bench in Bench::both() {
        let to = bench.open().await;
        let mut moving = bench.named(1, "IMG_1.MOV", ResourceKind::PairedVideo, &bytes(1, 9000));
        let mut still = bench.named(2, "IMG_1.HEIC", ResourceKind::Photo, &bytes(2, 5000));
        let video = bench.receipt(&to, &moving).await;
        still.companions = vec![companion(&moving, false, Some(&video))];
        let receipt = bench.receipt(&to, &still).await;
        let assets = bench.server.assets();
        assert_eq!(assets[1].live_video.as_deref(), Some(assets[0].id.as_str()));
        assert_eq!((assets[0].is_video, assets[0].visibility.as_str()), (true, "hidden"));
        assert!(bench.is_proved(&to, &moving, &video).await && bench.is_proved(&to, &still, &receipt).await);

        // The moving half comes late: it is joined with the still that is there.
        bench.server.immich.lock().assets.retain(|asset| !asset.is_video);
        bench.server.immich.lock().assets[0].live_video = None;
        moving.companions = vec![companion(&still, true, Some(&receipt))];
        bench.receipt(&to, &moving).await;
        let assets = bench.server.assets();
        assert_eq!(assets[0].live_video.as_deref(), Some(assets[1].id.as_str()));

        // The still was there already, and nobody knew of the other half.
        bench.server.immich.lock().assets[0].live_video = None;
        let video = bench.receipt(&to, &moving).await;
        bench.server.immich.lock().assets[0].live_video = None;
        still.companions = vec![companion(&moving, false, Some(&video))];
        assert!(matches!(bench.send(&to, &still).await, Ok(Sent::AlreadyThere { .. })));
        assert_eq!(bench.server.assets()[0].live_video.as_deref(), Some(assets[1].id.as_str()));

        // A moving half in the trash does not keep its still from being safe.
        let mut other = bench.named(3, "IMG_2.HEIC", ResourceKind::Photo, &bytes(3, 5000));
        bench.server.immich.lock().assets[1].is_trashed = true;
        other.companions = vec![companion(&moving, false, Some(&video))];
        let receipt = bench.receipt(&to, &other).await;
        assert!(bench.is_proved(&to, &other, &receipt).await);
        assert_eq!(bench.server.assets()[2].live_video, None);
    }
}

#[tokio::test]
async fn sidecars_go_with_their_picture_or_tell_what_they_say() {
    let xmp = |rating: u32| format!("<x><rdf:Description xmp:Rating=\"{rating}\"/></x>").into_bytes();
    for bench in Bench::both() {
        let to = bench.open().await;
        let mut sidecar = bench.named(1, "IMG_1.xmp", ResourceKind::Sidecar, &xmp(4));
        let mut photo = bench.named(2, "IMG_1.JPG", ResourceKind::Photo, &bytes(2, 5000));
        let early = bench.send(&to, &sidecar).await.expect_err("the picture is not there");
        assert_eq!((early.kind, early.is_permanent()), (FailureKind::NotFound, false));
        assert_eq!(early.cause, Some(Cause::PhotoAwaited));
        photo.companions = vec![companion(&sidecar, false, None)];
        let receipt = bench.receipt(&to, &photo).await;
        assert_eq!(bench.server.assets()[0].sidecar, Some(xmp(4)));
        assert_eq!(bench.server.assets()[0].name, "IMG_1.JPG");
        assert!(bench.is_proved(&to, &photo, &receipt).await);
        sidecar.companions = vec![companion(&photo, true, Some(&receipt))];
        let Ok(Sent::AlreadyThere { receipt: with }) = bench.send(&to, &sidecar).await else {
            panic!("it went with its picture")
        };
        assert_eq!(to.prove(&sidecar, &with, &bench.transfer()).await, Ok(Evidence::Accepted));
        assert!(to.read(&sidecar.key, &with).await.is_err());

        // A new version of the sidecar is told, not sent.
        let mut later = bench.named(3, "IMG_1.xmp", ResourceKind::Sidecar, &xmp(5));
        later.companions = vec![companion(&photo, true, Some(&receipt))];
        let Ok(Sent::Stored { receipt: told, .. }) = bench.send(&to, &later).await else { panic!("told") };
        assert_eq!(bench.server.assets()[0].told.get("rating"), Some(&5.into()));
        assert_eq!(to.prove(&later, &told, &bench.transfer()).await, Ok(Evidence::Accepted));
        let limited = bench.set_up(bench.key(&["asset.upload"]), "").await.expect("set up");
        let failure = bench.send(&limited, &later).await.expect_err("may not");
        assert_eq!((failure.kind, failure.reach), (FailureKind::Forbidden, Reach::Resource));
        assert!(failure.details.contains("asset.update"), "{failure}");
        let mut silent = bench.named(4, "IMG_1.xmp", ResourceKind::Sidecar, b"<x/>");
        silent.companions = later.companions.clone();
        let failure = bench.send(&to, &silent).await.expect_err("nothing to tell");
        assert!(failure.is_permanent() && failure.kind == FailureKind::Unsupported, "{failure}");
        assert_eq!(failure.cause, Some(Cause::SidecarLate));
        // What no Immich takes is left out there, whether its picture is there or not.
        for name in ["IMG_1.AAE", "IMG_1.JPG.pp3", "IMG_1.JPG.json", "IMG_1.THM"] {
            let mut other = bench.named(6, name, ResourceKind::Sidecar, b"settings");
            for companions in [Vec::new(), later.companions.clone()] {
                other.companions = companions;
                let failure = bench.send(&to, &other).await.expect_err("not taken");
                assert_eq!(
                    (failure.cause, failure.is_permanent()),
                    (Some(Cause::SidecarKind), true),
                    "{failure}"
                );
            }
        }
        // Another picture's sidecar does not go with this one, and the one that names it goes first.
        let mut raw = bench.named(7, "IMG_7.ARW", ResourceKind::AlternatePhoto, &bytes(7, 5000));
        let (loose, own) = (
            bench.named(8, "IMG_7.xmp", ResourceKind::Sidecar, &xmp(1)),
            bench.named(9, "IMG_7.arw.xmp", ResourceKind::Sidecar, &xmp(2)),
        );
        let others = Companion { is_own_sidecar: false, ..companion(&own, false, None) };
        raw.companions = vec![others.clone()];
        let mut jpeg = bench.named(10, "IMG_7.JPG", ResourceKind::Photo, &bytes(10, 5000));
        jpeg.companions = vec![others];
        bench.receipt(&to, &jpeg).await;
        assert_eq!(bench.server.assets()[1].sidecar, None);
        raw.companions = vec![companion(&loose, false, None), companion(&own, false, None)];
        bench.receipt(&to, &raw).await;
        assert_eq!(bench.server.assets()[2].sidecar, Some(xmp(2)));
        // A sidecar that changes right now does not keep its picture waiting.
        let mut next = bench.named(5, "IMG_5.JPG", ResourceKind::Photo, &bytes(5, 5000));
        next.companions = vec![companion(&later, false, None)];
        bench.sources.change(&later, b"other", true);
        bench.receipt(&to, &next).await;
        assert_eq!(bench.server.assets()[3].sidecar, None);
    }
}

#[tokio::test]
async fn folders_become_albums_and_pairs_become_stacks() {
    for bench in Bench::both() {
        let stranger = bench.server.immich.add_user("Stranger", None);
        let shared = crate::fakes::immich::Album {
            id: bench.server.immich.id(),
            user: stranger.id,
            name: "trip".to_owned(),
            assets: Vec::new(),
        };
        bench.server.immich.lock().albums.push(shared);
        let to = bench.set_up(KEY, "?albums=folders&stacks=raw").await.expect("set up");
        let items: Vec<Item> = (1..=4)
            .map(|n| {
                bench.named(n, &format!("trip/{n}.jpg"), ResourceKind::Photo, &bytes(n.unsigned_abs(), 900))
            })
            .collect();
        let sends = items.iter().map(|item| bench.receipt(&to, item));
        let receipts = futures_util::future::join_all(sends).await;
        let mut raw = bench.named(5, "trip/1.dng", ResourceKind::AlternatePhoto, &bytes(5, 900));
        raw.companions = vec![companion(&items[0], true, Some(&receipts[0]))];
        bench.receipt(&to, &raw).await;
        {
            let state = bench.server.immich.lock();
            let made: Vec<_> =
                state.albums.iter().filter(|album| album.user == bench.server.user.id).collect();
            assert_eq!((made.len(), made[0].name.as_str(), made[0].assets.len()), (1, "trip", 5));
            assert_eq!(state.albums[0].assets.len(), 0, "nothing in the album of somebody else");
            let last = &state.assets[4].id;
            assert!(state.stacks.len() == 1 && &state.stacks[0][1] == last, "{:?}", state.stacks);
        }
        // The person removes the album: it comes back with what is sent next.
        bench.server.immich.lock().albums.clear();
        bench.receipt(&to, &bench.named(6, "trip/6.jpg", ResourceKind::Photo, &bytes(6, 900))).await;
        assert_eq!(bench.server.immich.lock().albums[0].assets.len(), 1);
    }
}

#[tokio::test]
async fn of_several_moving_halves_the_best_is_joined_and_the_rest_is_said() {
    for bench in Bench::both() {
        let to = bench.open().await;
        let small = bench.named(1, "a/IMG_1.MOV", ResourceKind::PairedVideo, &bytes(1, 3000));
        let mut large = bench.named(2, "b/IMG_1.MOV", ResourceKind::PairedVideo, &bytes(2, 9000));
        let mut still = bench.named(3, "a/IMG_1.HEIC", ResourceKind::Photo, &bytes(3, 5000));
        let of_small = bench.receipt(&to, &small).await;
        let of_large = bench.receipt(&to, &large).await;
        still.companions =
            vec![companion(&small, false, Some(&of_small)), companion(&large, false, Some(&of_large))];
        let transfer = bench.transfer();
        let sent = to.send(&still, &transfer).await;
        let Ok(Sent::Stored { receipt, .. }) = sent else { panic!("sent: {sent:?}") };
        let id = |index: usize| bench.server.assets()[index].id.clone();
        assert_eq!(bench.server.assets()[2].live_video, Some(id(1)), "the largest");
        let notes = transfer.take_notes();
        assert!(notes.len() == 1 && notes[0].contains("Immich joins one"), "{notes:?}");

        // One that comes later and is no better leaves it as it is, and says so; a better one takes its place.
        let mut later = bench.named(4, "c/IMG_1.MOV", ResourceKind::PairedVideo, &bytes(4, 4000));
        later.companions =
            vec![companion(&still, true, Some(&receipt)), companion(&large, false, Some(&of_large))];
        let transfer = bench.transfer();
        assert!(to.send(&later, &transfer).await.is_ok());
        assert_eq!(bench.server.assets()[2].live_video, Some(id(1)));
        assert_eq!(transfer.take_notes().len(), 1);
        large.companions =
            vec![companion(&still, true, Some(&receipt)), companion(&small, false, Some(&of_small))];
        bench.server.immich.lock().assets[2].live_video = Some(of_small);
        bench.receipt(&to, &large).await;
        assert_eq!(bench.server.assets()[2].live_video, Some(id(1)));
    }
}

#[tokio::test]
async fn more_files_with_the_same_bytes_bring_more_albums() {
    for bench in Bench::both() {
        let to = bench.set_up(KEY, "?albums=folders").await.expect("set up");
        let mut item = bench.named(1, "Roma/1.jpg", ResourceKind::Photo, &bytes(1, 900));
        let receipt = bench.receipt(&to, &item).await;
        item.other_paths = vec!["/photos/Sea/2.jpg".into(), "/photos/Sea/3.jpg".into()];
        to.arrange(&item, &receipt, &bench.transfer()).await.expect("arranged");
        let state = bench.server.immich.lock();
        let mut made: Vec<(&str, usize)> =
            state.albums.iter().map(|album| (album.name.as_str(), album.assets.len())).collect();
        made.sort_unstable();
        assert_eq!(made, [("Roma", 1), ("Sea", 1)]);
    }
}
