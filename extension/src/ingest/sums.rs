//! The sums of a batch, in the form that its row has them.

use logwatch_record::Level;

use super::offset;
use super::statements::number;
use crate::column::Column;

/// Records of a batch by second, pattern and level, as its row has them.
#[derive(Default)]
pub struct Sums {
    pub seconds: Column<i32>,
    pub fingerprints: Column<i64>,
    /// One element when all are the same.
    pub levels: Column<i16>,
    /// None when all are 1.
    pub numbers: Column<i32>,
}

impl Sums {
    pub fn of(mut counted: Vec<(i64, i64, Level)>, base: i64) -> Self {
        counted.sort_unstable();
        let same_level = counted.windows(2).all(|pair| pair[0].2 == pair[1].2);
        let all_single = counted.windows(2).all(|pair| pair[0] != pair[1]);
        let mut sums = Self::default();
        for same in counted.chunk_by(|a, b| a == b) {
            let Some((second, fingerprint, level)) = same.first() else {
                continue;
            };
            sums.seconds.push(&offset(*second, base));
            sums.fingerprints.push(fingerprint);
            if !same_level || sums.levels.len() == 0 {
                sums.levels.push(&(number(*level) as i16));
            }
            if !all_single {
                sums.numbers.push(&(same.len() as i32));
            }
        }
        sums
    }
}
