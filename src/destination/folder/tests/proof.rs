//! How copies are proved, and what a file system cannot hold.

use super::*;
use crate::domain::cause::Cause;
use crate::domain::record::ProofNeed;

#[tokio::test]
async fn a_deep_look_compares_where_nothing_can_be_proved() {
    let (folder, memory) = folder(|rules| rules.proof = None).await;
    let source = source(KEY, 1000);
    let Ok(Sent::Stored { receipt, .. }) = folder.send(&source.item, &transfer()).await else {
        panic!("stored")
    };
    let deep = || Transfer { must_read: true, ..transfer() };
    assert_eq!(folder.prove(&source.item, &receipt, &deep()).await, Ok(Evidence::Accepted));
    memory.rules(|rules| rules.lie = Some(ReadFault::FlippedByte));
    let failure = folder.prove(&source.item, &receipt, &deep()).await.expect_err("other bytes");
    assert_eq!(failure.kind, FailureKind::DigestMismatch);
    memory.rules(|rules| {
        (rules.lie, rules.session, rules.proof_need) = (None, "second".to_owned(), ProofNeed::Never);
    });
    assert_eq!(folder.prove(&source.item, &receipt, &transfer()).await, Ok(Evidence::Accepted));
    let attached = folder.attachment().await.expect("there").expect("proves nothing");
    assert_eq!((attached.session.as_str(), attached.need), ("second", ProofNeed::Never));
    memory.rules(|rules| rules.proof = Some(ProofMethod::DirectRead));
    folder.probe().await.expect("probed");
    assert_eq!(folder.attachment().await, Ok(None));
}

#[tokio::test]
async fn a_file_that_the_disk_cannot_hold_is_refused_before_it_is_begun() {
    let (folder, memory) = folder(|rules| rules.size_max = Some(99_999)).await;
    let refused = |failure: Failure| (failure.kind, failure.reach, failure.is_permanent(), failure.cause);
    let expected = (FailureKind::TooLarge, Reach::Resource, true, Some(Cause::FileSizeLimit));
    let source = source(KEY, 100_000);
    let failure = folder.send(&source.item, &transfer()).await.expect_err("too large");
    assert_eq!((refused(failure), memory.files()), (expected, vec![MARKER.to_owned()]));
    // One that does not say so is found out by its refusal.
    memory.rules(|rules| rules.hides_size_max = true);
    let failure = folder.send(&source.item, &transfer()).await.expect_err("too large");
    assert_eq!((refused(failure), memory.files()), (expected, vec![MARKER.to_owned()]));
    memory.rules(|rules| rules.size_max = Some(100_000));
    let sent = folder.send(&source.item, &transfer()).await.expect("it fits");
    assert!(matches!(sent, Sent::Stored { .. }), "{sent:?}");
}

#[tokio::test]
async fn a_method_that_no_longer_works_gives_way_to_one_that_does() {
    let (folder, memory) = folder(|rules| rules.proof = Some(ProofMethod::EvictedRead)).await;
    let source = source(KEY, 1000);
    assert!(matches!(folder.send(&source.item, &transfer()).await, Ok(Sent::Stored { .. })));
    let method = async || match folder.prove(&source.item, "", &transfer()).await {
        Ok(Evidence::Verified { method, .. }) => Some(method),
        Ok(Evidence::Accepted) => None,
        Err(failure) => panic!("{failure}"),
    };
    assert_eq!(method().await, Some(ProofMethod::EvictedRead));
    memory.rules(|rules| rules.proof = Some(ProofMethod::DirectRead));
    assert_eq!(method().await, Some(ProofMethod::DirectRead));
    memory.rules(|rules| rules.proof = None);
    assert_eq!(method().await, None);
    assert_eq!(memory.files(), [MARKER, KEY]);
}
