//! `time with time zone`: a time of day and an offset, in one number.
//!
//! The number is the time at Greenwich in microseconds, then 18 bits of offset. So numbers are
//! equal and ordered as PostgreSQL's values are, and memory and storage need no type of their own.

use std::fmt::Write;

use super::datetime::{self, USECS_PER_DAY, USECS_PER_SEC};
use super::settings::FormatSettings;
use super::timezone::iso_offset;
use crate::error::{Error, Result};

const OFFSET_BITS: u32 = 18;
const OFFSET_BIAS: i64 = 1 << (OFFSET_BITS - 1);
/// Offsets stay below 16 hours.
const MAX_OFFSET_SECONDS: i32 = 16 * 3600;

/// A value, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeTz {
    /// Microseconds since midnight, there.
    pub(crate) us: i64,
    /// Seconds west of Greenwich, as PostgreSQL counts.
    pub(crate) west: i32,
}

impl TimeTz {
    /// As it is kept.
    pub(crate) fn pack(self) -> i64 {
        let greenwich = self.us + i64::from(self.west) * USECS_PER_SEC;
        (greenwich << OFFSET_BITS) | (i64::from(self.west) + OFFSET_BIAS)
    }

    pub(crate) fn unpack(kept: i64) -> TimeTz {
        let west = (kept & ((1 << OFFSET_BITS) - 1)) - OFFSET_BIAS;
        let us = (kept >> OFFSET_BITS) - west * USECS_PER_SEC;
        TimeTz { us, west: west as i32 }
    }

    /// A time of day in the session's zone, with the offset of today.
    pub(crate) fn in_session(us: i64, settings: &FormatSettings) -> TimeTz {
        let zone = &settings.time_zone;
        let today = zone.utc_to_local(settings.now_us.unwrap_or(0));
        let local = datetime::split(today).0 * USECS_PER_DAY + us;
        let utc = zone.local_to_utc(local).unwrap_or(local);
        TimeTz { us, west: -zone.east_at(utc) }
    }

    /// The same moment with another offset.
    pub(crate) fn at_offset(self, west: i32) -> TimeTz {
        let moved = self.us + i64::from(self.west - west) * USECS_PER_SEC;
        TimeTz { us: moved.rem_euclid(USECS_PER_DAY), west }
    }

    /// From the wire.
    ///
    /// # Errors
    /// 22008, 22009 for values out of range.
    pub(crate) fn checked(us: i64, west: i32) -> Result<TimeTz> {
        if !(0..=USECS_PER_DAY).contains(&us) {
            return Err(Error::datetime_out_of_range("time"));
        }
        if west <= -MAX_OFFSET_SECONDS || west >= MAX_OFFSET_SECONDS {
            return Err(Error::new(
                crate::error::SqlState::INVALID_TIME_ZONE_DISPLACEMENT_VALUE,
                "time zone displacement out of range",
            ));
        }
        Ok(TimeTz { us, west })
    }

    /// Appends the text form.
    pub(crate) fn write(self, out: &mut impl Write) -> std::fmt::Result {
        datetime::write_time(self.us, out)?;
        out.write_str(&iso_offset(-self.west))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_as_ordered_numbers() {
        let noon = 12 * 3600 * USECS_PER_SEC;
        for (us, west) in [(0, 0), (noon, 18_000), (noon, -50_400), (USECS_PER_DAY, 57_599)] {
            let value = TimeTz { us, west };
            assert_eq!(TimeTz::unpack(value.pack()), value);
        }
        // 12:00+01 is before 12:00+00, which equals in time but not in value 13:00+01.
        let at = |hours: i64, east: i32| {
            TimeTz { us: hours * 3600 * USECS_PER_SEC, west: -east * 3600 }.pack()
        };
        assert!(at(12, 1) < at(12, 0));
        assert!(at(13, 1) < at(12, 0));
        let mut text = String::new();
        TimeTz { us: noon, west: 18_000 }.write(&mut text).unwrap();
        assert_eq!(text, "12:00:00-05");
    }
}
