//! What is booked: one entry per task in flight, and their sums.
//!
//! Invariant: every sum is the sum over the entries, exactly: integers only.
//! An entry is given back once; a booking that was given back names nothing.

use std::time::Duration;

use serde::Serialize;
use shared::model::{Category, Priority};

/// Names an entry. As a number for a permit: [`Booking::number`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Booking {
    place: u32,
    round: u32,
}

impl Booking {
    /// The booking as one number.
    #[must_use]
    pub const fn number(self) -> u64 {
        ((self.round as u64) << 32) | self.place as u64
    }

    /// The booking with this number.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "each half of the number is one field"
    )]
    pub const fn from_number(number: u64) -> Self {
        Self {
            place: number as u32,
            round: (number >> 32) as u32,
        }
    }
}

/// What one task has reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its type's place in the list of types.
    pub kind: u16,
    /// Its priority.
    pub priority: Priority,
    /// Its feature's category.
    pub category: Category,
    /// Memory in bytes.
    pub bytes: u64,
    /// Processors in thousandths; 0 unless it is CPU-bound.
    pub millicores: u32,
    /// It runs on top of the limit.
    pub bypass: bool,
    /// Its needs are unknown and perhaps large.
    pub heavy_unknown: bool,
    /// It was given up: it counts no more, but its memory is still taken.
    pub abandoned: bool,
    /// When it was admitted.
    pub since: Duration,
}

/// Sums over the entries. What was abandoned is in `bytes` and `abandoned`
/// alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Memory in bytes.
    pub bytes: u64,
    /// Of that, of tasks of critical priority.
    pub critical_bytes: u64,
    /// Of that, of abandoned tasks.
    pub abandoned_bytes: u64,
    /// Tasks within the limit.
    pub ordinary: u32,
    /// Tasks on top of it.
    pub bypass: u32,
    /// Tasks within the limit, by [`Category::rank`].
    pub categories: [u32; 4],
    /// Tasks that booked memory.
    pub with_memory: u32,
    /// Tasks of unknown and perhaps large needs.
    pub heavy_unknown: u32,
    /// Processors of CPU-bound tasks, in thousandths.
    pub millicores: u64,
    /// Tasks that were given up and have not ended.
    pub abandoned: u32,
}

impl Totals {
    /// Tasks in flight.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.ordinary + self.bypass
    }

    fn add(&mut self, entry: &Entry) {
        self.bytes += entry.bytes;
        if entry.abandoned {
            self.abandoned += 1;
            self.abandoned_bytes += entry.bytes;
            return;
        }
        if entry.priority == Priority::Critical {
            self.critical_bytes += entry.bytes;
        }
        if entry.bypass {
            self.bypass += 1;
        } else {
            self.ordinary += 1;
            self.categories[usize::from(entry.category.rank())] += 1;
        }
        self.with_memory += u32::from(entry.bytes > 0);
        self.heavy_unknown += u32::from(entry.heavy_unknown);
        self.millicores += u64::from(entry.millicores);
    }

    fn remove(&mut self, entry: &Entry) {
        self.bytes -= entry.bytes;
        if entry.abandoned {
            self.abandoned -= 1;
            self.abandoned_bytes -= entry.bytes;
            return;
        }
        if entry.priority == Priority::Critical {
            self.critical_bytes -= entry.bytes;
        }
        if entry.bypass {
            self.bypass -= 1;
        } else {
            self.ordinary -= 1;
            self.categories[usize::from(entry.category.rank())] -= 1;
        }
        self.with_memory -= u32::from(entry.bytes > 0);
        self.heavy_unknown -= u32::from(entry.heavy_unknown);
        self.millicores -= u64::from(entry.millicores);
    }
}

/// The entries. Places are used again, with another round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    places: Vec<(u32, Option<Entry>)>,
    free: Vec<u32>,
    totals: Totals,
}

impl Book {
    /// With room for so many at once before it must grow.
    pub(crate) fn with_room(most: usize) -> Self {
        Self {
            places: Vec::with_capacity(most),
            free: Vec::with_capacity(most),
            totals: Totals::default(),
        }
    }

    pub(crate) const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// All entries.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.places.iter().filter_map(|(_, entry)| entry.as_ref())
    }

    pub(crate) fn enter(&mut self, entry: Entry) -> Booking {
        self.totals.add(&entry);
        if let Some(place) = self.free.pop() {
            let (round, slot) = &mut self.places[place as usize];
            *slot = Some(entry);
            return Booking {
                place,
                round: *round,
            };
        }
        self.places.push((0, Some(entry)));
        let place = u32::try_from(self.places.len() - 1)
            .expect("every entry is a task in flight, and nobody runs four billion of them");
        Booking { place, round: 0 }
    }

    pub(crate) fn get(&self, booking: Booking) -> Option<&Entry> {
        match self.places.get(booking.place as usize) {
            Some((round, Some(entry))) if *round == booking.round => Some(entry),
            _ => None,
        }
    }

    /// Changes an entry, and the sums with it. Whether there is one.
    pub(crate) fn change(&mut self, booking: Booking, change: impl FnOnce(&mut Entry)) -> bool {
        match self.places.get_mut(booking.place as usize) {
            Some((round, Some(entry))) if *round == booking.round => {
                self.totals.remove(entry);
                change(entry);
                self.totals.add(entry);
                true
            }
            _ => false,
        }
    }

    pub(crate) fn leave(&mut self, booking: Booking) -> Option<Entry> {
        let (round, slot) = self.places.get_mut(booking.place as usize)?;
        if *round != booking.round {
            return None;
        }
        let entry = slot.take()?;
        *round = round.wrapping_add(1);
        self.totals.remove(&entry);
        self.free.push(booking.place);
        Some(entry)
    }
}
