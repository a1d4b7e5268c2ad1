//! What a run has come to, on disk: whole or not at all.

use super::{TrainError, adamw::AdamW};
use codec::{Decode, Encode};
use std::{fs::File, io::Write, path::Path};
use touchstone_primitives::{H256, tagged_hash};

/// Against damage.
fn sum(bytes: &[u8]) -> [u8; 32] {
    tagged_hash("touchstone/checkpoint/1", &[bytes]).0
}

/// A run after some steps. Numbers are kept as their bits.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct Checkpoint {
    /// Hash of everything that the run depends on.
    pub(crate) inputs: H256,
    /// The loss of each step so far.
    pub(crate) losses: Vec<u32>,
    weights: Vec<u32>,
    mean: Vec<u32>,
    square: Vec<u32>,
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

fn numbers(bits: &[u32]) -> Vec<f32> {
    bits.iter().map(|b| f32::from_bits(*b)).collect()
}

impl Checkpoint {
    pub(crate) fn new(inputs: H256, losses: &[f32], weights: &[f32], adam: &AdamW) -> Self {
        Self {
            inputs,
            losses: bits(losses),
            weights: bits(weights),
            mean: bits(&adam.mean),
            square: bits(&adam.square),
        }
    }

    /// Losses, weights and the optimiser's state.
    pub(crate) fn state(&self) -> (Vec<f32>, Vec<f32>, AdamW) {
        let adam = AdamW {
            mean: numbers(&self.mean),
            square: numbers(&self.square),
        };
        (numbers(&self.losses), numbers(&self.weights), adam)
    }

    pub(crate) fn write(&self, file: &Path) -> Result<(), TrainError> {
        let bytes = self.encode();
        write(file, &[&sum(&bytes)[..], &bytes].concat())
    }

    /// Reads a checkpoint of a run with these inputs and so many weights.
    pub(crate) fn read(file: &Path, inputs: H256, size: usize) -> Result<Self, TrainError> {
        let bytes = std::fs::read(file).map_err(|e| TrainError::io(file, e))?;
        let damaged = || TrainError::Checkpoint {
            file: file.into(),
            found: "a damaged file",
        };
        let (hash, bytes) = bytes.split_at_checked(32).ok_or_else(damaged)?;
        if hash != sum(bytes) {
            return Err(damaged());
        }
        let checkpoint = Self::decode(&mut &bytes[..]).map_err(|_| damaged())?;
        let sizes = [&checkpoint.weights, &checkpoint.mean, &checkpoint.square];
        match checkpoint.inputs == inputs && sizes.iter().all(|s| s.len() == size) {
            true => Ok(checkpoint),
            false => Err(TrainError::Checkpoint {
                file: file.into(),
                found: "one of a run with another base, data or settings",
            }),
        }
    }
}

/// Writes a file in one step: after a power cut it is there with this content or as it was before.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.part"));
    let result = File::create(&temporary).and_then(|mut part| {
        part.write_all(bytes)?;
        part.sync_all()?;
        std::fs::rename(&temporary, file)?;
        File::open(folder)?.sync_all()
    });
    result.map_err(|e| TrainError::io(file, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_comes_back_whole_and_another_runs_or_a_damaged_one_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("checkpoint");
        let adam = AdamW {
            mean: vec![0.5, f32::MIN_POSITIVE],
            square: vec![1.0, 2.0],
        };
        let inputs = H256::repeat_byte(1);
        let ours = Checkpoint::new(inputs, &[4.5], &[1.0, -0.0], &adam);
        ours.write(&file).expect("written");
        let read = Checkpoint::read(&file, inputs, 2).expect("it reads");
        assert_eq!(read, ours);
        assert_eq!(read.state(), (vec![4.5], vec![1.0, -0.0], adam));
        assert!(Checkpoint::read(&file, H256::zero(), 2).is_err());
        assert!(Checkpoint::read(&file, inputs, 3).is_err());
        let mut bytes = std::fs::read(&file).expect("read");
        for cut in [0, 10, bytes.len() - 1] {
            std::fs::write(&file, &bytes[..cut]).expect("written");
            assert!(Checkpoint::read(&file, inputs, 2).is_err(), "{cut}");
        }
        bytes[40] ^= 1;
        std::fs::write(&file, &bytes).expect("written");
        assert!(Checkpoint::read(&file, inputs, 2).is_err());
    }
}
