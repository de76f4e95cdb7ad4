//! The tickets of this process: what they spent is told to the store in the background, each part once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gatewright::service::limits::Held;
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::sync::Notify;

use super::place::{self, Place, Want};
use crate::limits::INLINE_CLAIMS;

/// An amount for each place of a ticket.
type Amounts = SmallVec<[u64; INLINE_CLAIMS]>;

/// A reservation that the store holds.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) id: String,
    pub(super) tag: Arc<str>,
    pub(super) places: Box<[Place]>,
    spending: Mutex<Spending>,
}

#[derive(Debug, Default)]
struct Spending {
    /// The number of the last part that was told.
    step: u64,
    /// What was told and not confirmed; it is told again under the same number.
    telling: Option<Part>,
    /// Spent since.
    fresh: Amounts,
    has_ended: bool,
    is_listed: bool,
}

/// A part of a settlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) step: u64,
    pub(super) amounts: Amounts,
    pub(super) is_last: bool,
}

impl Ticket {
    /// A ticket of which a call has just asked the store.
    pub(super) fn new(id: String, tag: &Arc<str>, wants: &[Want]) -> Arc<Self> {
        let places = wants.iter().map(|want| want.place.clone()).collect();
        Self::at(id, tag, places)
    }

    pub(super) fn at(id: String, tag: &Arc<str>, places: Box<[Place]>) -> Arc<Self> {
        let fresh = SmallVec::from_elem(0, places.len());
        let spending = Mutex::new(Spending { fresh, ..Spending::default() });
        Arc::new(Self { id, tag: Arc::clone(tag), places, spending })
    }

    /// The part that is to be told next; `None` where there is nothing new.
    fn next_part(&self) -> Option<Part> {
        let mut spending = self.spending.lock();
        spending.is_listed = false;
        if spending.telling.is_none() {
            if !spending.has_ended && spending.fresh.iter().all(|amount| *amount == 0) {
                return None;
            }
            let nothing = SmallVec::from_elem(0, self.places.len());
            let amounts = std::mem::replace(&mut spending.fresh, nothing);
            let step = spending.step + 1;
            spending.telling = Some(Part { step, amounts, is_last: spending.has_ended });
        }
        spending.telling.clone()
    }

    /// A part has arrived; says whether more has come up since.
    fn told(&self, part: &Part) -> bool {
        let mut spending = self.spending.lock();
        spending.step = part.step;
        spending.telling = None;
        !part.is_last && (spending.has_ended || spending.fresh.iter().any(|amount| *amount > 0))
    }
}

/// All tickets that the store may hold for this process.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: Mutex<Entries>,
    next: AtomicU64,
    /// A ticket has ended.
    pub(super) ended: Notify,
}

#[derive(Debug, Default)]
struct Entries {
    live: HashMap<String, Arc<Ticket>>,
    changed: Vec<Arc<Ticket>>,
}

impl Book {
    /// A name for a ticket, unique among replicas with different names.
    pub(super) fn name(&self, replica: &str) -> String {
        format!("{replica}-{}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// The store may hold a ticket from here on.
    pub(super) fn enter(&self, ticket: &Arc<Ticket>) {
        self.entries.lock().live.insert(ticket.id.clone(), Arc::clone(ticket));
    }

    /// How many tickets the store may hold.
    pub(super) fn len(&self) -> usize {
        self.entries.lock().live.len()
    }

    /// The tickets whose store is to be told something, each with what.
    pub(super) fn take_changed(&self) -> Vec<(Arc<Ticket>, Part)> {
        let changed = std::mem::take(&mut self.entries.lock().changed);
        changed.into_iter().filter_map(|ticket| ticket.next_part().map(|part| (ticket, part))).collect()
    }

    /// The store has a part.
    pub(super) fn told(&self, ticket: &Arc<Ticket>, part: &Part) {
        if ticket.told(part) {
            self.list(ticket);
        }
        if part.is_last {
            self.entries.lock().live.remove(&ticket.id);
        }
    }

    /// The store could not be told; it is tried again.
    pub(super) fn untold(&self, ticket: &Arc<Ticket>) {
        self.list(ticket);
    }

    /// The tickets that are alive, by tenant.
    pub(super) fn by_tag(&self) -> HashMap<Arc<str>, Vec<Arc<Ticket>>> {
        let mut tags: HashMap<Arc<str>, Vec<Arc<Ticket>>> = HashMap::new();
        for ticket in self.entries.lock().live.values() {
            tags.entry(Arc::clone(&ticket.tag)).or_default().push(Arc::clone(ticket));
        }
        tags
    }

    /// The store has refused a ticket.
    fn strike(&self, ticket: &Ticket) {
        self.entries.lock().live.remove(&ticket.id);
    }

    fn list(&self, ticket: &Arc<Ticket>) {
        let mut spending = ticket.spending.lock();
        if !std::mem::replace(&mut spending.is_listed, true) {
            self.entries.lock().changed.push(Arc::clone(ticket));
        }
    }

    fn spend(&self, ticket: &Arc<Ticket>, place: usize, amount: u64) {
        {
            let mut spending = ticket.spending.lock();
            let Some(spent) = spending.fresh.get_mut(place) else { return };
            *spent = spent.saturating_add(amount).min(place::AMOUNT_MAX);
        }
        self.list(ticket);
    }

    /// A ticket ends: what was not spent is given back.
    pub(super) fn end(&self, ticket: &Arc<Ticket>) {
        ticket.spending.lock().has_ended = true;
        self.list(ticket);
        self.ended.notify_one();
    }
}

/// Claims that the store holds.
pub(super) struct SharedHeld {
    book: Arc<Book>,
    ticket: Arc<Ticket>,
    /// For each claim of the call, which of the places it is on.
    places: SmallVec<[usize; INLINE_CLAIMS]>,
    is_refused: bool,
}

impl SharedHeld {
    /// Claims that the store is about to be asked for.
    pub(super) fn asked(
        book: &Arc<Book>,
        ticket: Arc<Ticket>,
        places: SmallVec<[usize; INLINE_CLAIMS]>,
    ) -> Self {
        book.enter(&ticket);
        Self { book: Arc::clone(book), ticket, places, is_refused: false }
    }

    /// The store holds none of them.
    pub(super) fn refused(mut self) {
        self.is_refused = true;
    }
}

impl Held for SharedHeld {
    fn spend(&mut self, claim: usize, amount: u64) {
        if let Some(place) = self.places.get(claim)
            && amount > 0
        {
            self.book.spend(&self.ticket, *place, amount);
        }
    }

    fn finish(self: Box<Self>) {
        // Dropping gives back.
    }
}

impl Drop for SharedHeld {
    fn drop(&mut self) {
        if self.is_refused {
            self.book.strike(&self.ticket);
        } else {
            self.book.end(&self.ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gatewright::service::limits::Held;
    use smallvec::smallvec;

    use super::{Book, Part, SharedHeld, Ticket};
    use crate::limits::shared::place::Place;

    fn held(book: &Arc<Book>) -> SharedHeld {
        let place = Place { key: "k".into(), slot_us: 1_000_000, slots: 60 };
        let ticket = Ticket::at(book.name("r"), &"t".into(), [place].into());
        SharedHeld::asked(book, ticket, smallvec![0])
    }

    fn part(step: u64, amount: u64, is_last: bool) -> Part {
        Part { step, amounts: smallvec![amount], is_last }
    }

    #[test]
    fn what_was_spent_is_told_once_in_parts() {
        let book = Arc::new(Book::default());
        let mut held = held(&book);
        assert!(book.take_changed().is_empty());
        held.spend(0, 3);
        held.spend(0, 4);
        let changed = book.take_changed();
        assert_eq!(changed.len(), 1);
        assert_eq!(changed[0].1, part(1, 7, false));
        held.spend(0, 5);
        book.told(&changed[0].0, &changed[0].1);
        let changed = book.take_changed();
        assert_eq!(changed[0].1, part(2, 5, false));
        book.told(&changed[0].0, &changed[0].1);
        assert!(book.take_changed().is_empty());
    }

    #[test]
    fn an_unconfirmed_part_is_told_again_unchanged() {
        let book = Arc::new(Book::default());
        let mut held = held(&book);
        held.spend(0, 3);
        let changed = book.take_changed();
        held.spend(0, 9);
        drop(held);
        book.untold(&changed[0].0);
        let again = book.take_changed();
        assert_eq!(again.iter().map(|(_, part)| part.clone()).collect::<Vec<_>>(), [part(1, 3, false)]);
        book.told(&again[0].0, &again[0].1);
        let last = book.take_changed();
        assert_eq!(last[0].1, part(2, 9, true));
        assert_eq!(book.len(), 1);
        book.told(&last[0].0, &last[0].1);
        assert_eq!(book.len(), 0);
    }
}
