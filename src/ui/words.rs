//! The shared formatter, under the name that the window uses.

pub(super) use crate::domain::format::{
    age, bytes, capitalize as sentence, copies, counted, day_of, files, long_day, long_time, month_and_year,
    months_and_year, next_change, number, parse_time, short_day, speed, time_left, until, utc_offset,
};
