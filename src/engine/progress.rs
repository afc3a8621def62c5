//! How far the run is, how fast, and how long it will take.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::api::Progress;

/// How far back the speed looks.
const WINDOW: Duration = Duration::from_secs(10);
/// A pause between two samples that is longer than this counts as time in which nothing moved.
const STILL_AFTER: Duration = Duration::from_secs(2);
/// Samples kept: the window at the fastest sampling, and a few.
const SAMPLES_MAX: usize = 64;
/// No estimate is shown before a run has lasted this long.
const ESTIMATE_AFTER: Duration = Duration::from_secs(3);

/// The meter of one run: from the first transfer until nothing is left to do.
#[derive(Debug, Default)]
pub(crate) struct ProgressMeter {
    began: Option<Instant>,
    files_done: u64,
    bytes_done: u64,
    samples: VecDeque<(Instant, u64)>,
}

impl ProgressMeter {
    /// A transfer ended well.
    pub fn done(&mut self, bytes: u64) {
        self.files_done += 1;
        self.bytes_done += bytes;
    }

    /// Files done in this run.
    pub fn files_done(&self) -> u64 {
        self.files_done
    }

    /// Notes how much has moved, the transfers in flight included.
    pub fn sample(&mut self, now: Instant, in_flight: u64) {
        self.began.get_or_insert(now);
        let moved = self.bytes_done + in_flight;
        while self.samples.len() >= SAMPLES_MAX
            || self.samples.len() > 2 && self.samples.front().is_some_and(|(at, _)| now - *at > WINDOW)
        {
            self.samples.pop_front();
        }
        self.samples.push_back((now, moved));
    }

    /// The run is over.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// The progress to show, given what is left; none when nothing is left.
    pub fn progress(
        &self,
        now: Instant,
        files_left: u64,
        bytes_left: u64,
        in_flight: u64,
    ) -> Option<Progress> {
        if files_left == 0 {
            return None;
        }
        let bytes_per_sec = self.bytes_per_sec(now);
        let bytes_left = bytes_left.saturating_sub(in_flight);
        let is_settled = self.began.is_some_and(|began| now - began >= ESTIMATE_AFTER);
        Some(Progress {
            files_done: self.files_done,
            files_total: self.files_done + files_left,
            bytes_done: self.bytes_done + in_flight,
            bytes_total: self.bytes_done + in_flight + bytes_left,
            bytes_per_sec,
            secs_left: (is_settled && bytes_per_sec > 0).then(|| bytes_left.div_ceil(bytes_per_sec)),
        })
    }

    /// Bytes a second over the last [`WINDOW`]: 0 once nothing has been noted for so long, as while a
    /// server is away.
    fn bytes_per_sec(&self, now: Instant) -> u64 {
        let (Some((first, start)), Some((last, end))) = (self.samples.front(), self.samples.back()) else {
            return 0;
        };
        if now - *last > WINDOW {
            return 0;
        }
        // Where nothing moves, nothing is noted: the time since counts too.
        let still = if now - *last > STILL_AFTER { now - *last } else { Duration::ZERO };
        let millis = u64::try_from((*last - *first + still).as_millis()).unwrap_or(u64::MAX);
        // A job that was put back takes its bytes with it: the sum may fall.
        end.saturating_sub(*start).saturating_mul(1000).checked_div(millis).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn speed_and_time_left_follow_the_last_seconds() {
        let mut meter = ProgressMeter::default();
        assert_eq!(meter.progress(Instant::now(), 0, 0, 0), None);
        for second in 0..20_u64 {
            meter.sample(Instant::now(), second * 1000);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let progress = meter.progress(Instant::now(), 5, 50_000, 19_000).expect("work left");
        assert_eq!(progress.bytes_per_sec, 1000);
        assert_eq!(progress.secs_left, Some(31));
        assert_eq!(progress.bytes_total, 50_000);
        tokio::time::advance(Duration::from_secs(9)).await;
        let progress = meter.progress(Instant::now(), 5, 50_000, 19_000).expect("work left");
        assert!(progress.bytes_per_sec < 600, "{} while nothing moves", progress.bytes_per_sec);
        tokio::time::advance(Duration::from_secs(2)).await;
        let progress = meter.progress(Instant::now(), 5, 50_000, 19_000).expect("work left");
        assert_eq!((progress.bytes_per_sec, progress.secs_left), (0, None), "nothing has moved for long");
        meter.done(19_000);
        meter.sample(Instant::now(), 0);
        assert!(meter.samples.len() <= SAMPLES_MAX);
    }
}
