//! What one connection asks for and gets, apart from its socket.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::value::RawValue;

use super::hub::{Hub, Refusal};
use super::mailbox::{Mail, Mailbox, Token};
use super::out::Out;
use super::seen::{Label, Seen};
use super::state::{State, Wait, Waiter};
use super::topic::{Item, Subscriber, Topic};
use super::wire::{self, Bad, Wish};

/// The most items that one subscription sends before the next has its turn.
const TURN_ITEMS: usize = 32;
/// Of each connection, so many bad requests are told to those who watch; each is answered.
const MAX_BAD_REQUESTS_TOLD: u32 = 8;
/// At most so many subscriptions are told that their connection is cut off.
const MAX_CUT_OFF_ANSWERS: usize = 64;

/// A connection's open requests and its dealings with the hub.
#[derive(Debug)]
pub(super) struct Desk {
    hub: Hub,
    label: Label,
    mailbox: Arc<Mailbox>,
    open: BTreeMap<Token, Open>,
    tokens: BTreeMap<Box<str>, Token>,
    next_token: Token,
    /// Subscriptions that may have items to send, each once, in the order of their turns.
    turns: VecDeque<Token>,
    /// The first key that was used: whose run this connection belongs to.
    home: Option<Box<str>>,
    /// Topics whose large items have been told of.
    large_topics: BTreeSet<Arc<str>>,
    bad_requests: u32,
}

#[derive(Debug)]
struct Open {
    id: Box<str>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Subscription(Subscription),
    Barrier { state: Arc<State>, target: u64, place: u64 },
}

#[derive(Debug)]
struct Subscription {
    topic: Arc<Topic>,
    place: u64,
    subscriber: Arc<Subscriber>,
    /// The id as a JSON literal.
    id: String,
    seen_items: usize,
    seen_bytes: u64,
    has_turn: bool,
}

impl Desk {
    pub(super) fn new(hub: Hub, label: Label) -> Self {
        Self {
            hub,
            label,
            mailbox: Arc::default(),
            open: BTreeMap::new(),
            tokens: BTreeMap::new(),
            next_token: 0,
            turns: VecDeque::new(),
            home: None,
            large_topics: BTreeSet::new(),
            bad_requests: 0,
        }
    }

    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    pub(super) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Deals with one message of the client.
    pub(super) fn message(&mut self, message: &[u8], out: &mut Out) {
        let (id, wish) = match wire::parse(message) {
            Ok(parsed) => parsed,
            Err(Bad { id, text }) => return self.refuse(&id, &text, out),
        };
        let outcome = match wish {
            Wish::Publish { topic, payload } => self.publish(&id, &topic, payload, out),
            Wish::Signal { state } => self.signal(&id, &state, out),
            Wish::Subscribe { topic } => self.subscribe(&id, &topic),
            Wish::Barrier { state, target } => self.barrier(&id, &state, target, out),
            Wish::Cancel => {
                // One that has just been answered is no error: the two crossed on their way.
                if let Some(&token) = self.tokens.get(id.as_str()) {
                    self.close(token);
                }
                Ok(())
            }
        };
        if let Err(refusal) = outcome {
            self.refuse(&id, &refusal, out);
        }
    }

    fn refuse(&mut self, id: &str, text: &str, out: &mut Out) {
        out.answer(&wire::error(&wire::encode_str(id), &wire::encode_error(text)));
        if self.bad_requests < MAX_BAD_REQUESTS_TOLD {
            self.bad_requests += 1;
            self.odd("bad-request", text);
        }
    }

    /// Refuses what no request can be read from, and nothing after it.
    pub(super) fn complain(&self, reason: &'static str, text: &str, out: &mut Out) {
        out.answer(&wire::error(&wire::encode_str(wire::NOBODY), &wire::encode_error(text)));
        self.odd(reason, text);
    }

    fn odd(&self, reason: &'static str, text: &str) {
        let odd = || Seen::Odd { from: self.label, reason, text: text.to_owned() };
        match &self.home {
            Some(home) => self.hub.tell(home, odd),
            None => self.hub.tell_all(&odd()),
        }
    }

    fn settle(&mut self, key: &str) {
        if self.home.is_none() {
            self.home = Some(key.into());
        }
    }

    fn publish(&mut self, id: &str, topic: &str, payload: &RawValue, out: &mut Out) -> Result<(), Refusal> {
        let topic = self.hub.topic(topic)?;
        self.settle(&topic.key);
        let seq = self.hub.publish_topic(&topic, self.label, payload)?;
        out.answer(&wire::published(&wire::encode_str(id), &seq.to_string()));
        Ok(())
    }

    fn signal(&mut self, id: &str, state: &str, out: &mut Out) -> Result<(), Refusal> {
        let state = self.hub.state(state)?;
        self.settle(&state.key);
        let count = self.hub.signal_state(&state, self.label);
        out.answer(&wire::signalled(&wire::encode_str(id), &count.to_string()));
        Ok(())
    }

    fn subscribe(&mut self, id: &str, topic: &str) -> Result<(), Refusal> {
        let token = self.token(id)?;
        let topic = self.hub.topic(topic)?;
        self.settle(&topic.key);
        let subscriber = Arc::new(Subscriber::new(Arc::clone(&self.mailbox), token));
        let place = topic.join(Arc::clone(&subscriber));
        let subscription = Subscription {
            topic,
            place,
            subscriber,
            id: wire::encode_str(id),
            seen_items: 0,
            seen_bytes: 0,
            has_turn: true,
        };
        self.turns.push_back(token);
        self.open(id, token, Kind::Subscription(subscription));
        Ok(())
    }

    fn barrier(&mut self, id: &str, state: &str, target: u64, out: &mut Out) -> Result<(), Refusal> {
        let token = self.token(id)?;
        let state = self.hub.state(state)?;
        self.settle(&state.key);
        let waiter = Waiter { mailbox: Arc::clone(&self.mailbox), token, label: self.label };
        match self.hub.wait_state(&state, target, waiter) {
            Wait::Over => {
                out.answer(&wire::empty(&wire::encode_str(id)));
            }
            Wait::Failed(why) => {
                out.answer(&wire::error(&wire::encode_str(id), &wire::encode_error(&why)));
            }
            Wait::Placed { place, .. } => self.open(id, token, Kind::Barrier { state, target, place }),
        }
        Ok(())
    }

    /// A number for a request that stays open.
    fn token(&mut self, id: &str) -> Result<Token, Refusal> {
        if self.tokens.contains_key(id) {
            return Err(format!("bad request: the id `{id}` is that of an open subscription or barrier"));
        }
        let most = self.hub.limits().max_open_requests;
        if self.open.len() >= most {
            return Err(format!(
                "too many subscriptions and barriers at a time: the limit for a connection is {most} \
                 (`max_open_requests`)"
            ));
        }
        let token = self.next_token;
        self.next_token += 1;
        Ok(token)
    }

    fn open(&mut self, id: &str, token: Token, kind: Kind) {
        let id: Box<str> = id.into();
        self.tokens.insert(id.clone(), token);
        self.open.insert(token, Open { id, kind });
    }

    fn close(&mut self, token: Token) -> Option<Box<str>> {
        let Open { id, kind } = self.open.remove(&token)?;
        self.tokens.remove(&id);
        match kind {
            Kind::Subscription(subscription) => subscription.topic.leave(subscription.place),
            Kind::Barrier { state, target, place } => state.leave(target, place),
        }
        Some(id)
    }

    /// Answers barriers that were reached and gives a turn to subscriptions that have more.
    pub(super) fn deliver(&mut self, mail: Mail, out: &mut Out) {
        let Mail { released, dirty, failed } = mail;
        for token in released {
            // One that was cancelled meanwhile is not open any more.
            if let Some(id) = self.close(token) {
                out.answer(&wire::empty(&wire::encode_str(&id)));
            }
        }
        for (token, why) in failed {
            if let Some(id) = self.close(token) {
                out.answer(&wire::error(&wire::encode_str(&id), &wire::encode_error(&why)));
            }
        }
        for token in dirty {
            let Some(Open { kind: Kind::Subscription(subscription), .. }) = self.open.get_mut(&token) else { continue };
            if !subscription.has_turn {
                subscription.has_turn = true;
                self.turns.push_back(token);
            }
        }
    }

    /// Takes items from topics until enough waits to be sent.
    pub(super) fn fill(&mut self, out: &mut Out) {
        let mut batch = Vec::new();
        while !out.is_full() {
            let Some(token) = self.turns.pop_front() else { break };
            let Some(Open { kind: Kind::Subscription(subscription), .. }) = self.open.get_mut(&token) else { continue };
            subscription.subscriber.looks();
            subscription.topic.read(subscription.seen_items, TURN_ITEMS, &mut batch);
            let read = batch.len();
            let mut sent = 0;
            let mut large = None;
            for item in batch.drain(..) {
                if out.is_full() {
                    break;
                }
                let size_bytes = subscription.send(&item, out);
                if size_bytes > wire::LARGE_ANSWER_BYTES && !self.large_topics.contains(&item.topic) {
                    large = large.or(Some((item, size_bytes)));
                }
                sent += 1;
            }
            subscription.has_turn = sent < read || read == TURN_ITEMS;
            if subscription.has_turn {
                self.turns.push_back(token);
            }
            if let Some((item, size_bytes)) = large {
                self.tell_large(&item, size_bytes);
            }
        }
        if self.turns.is_empty() {
            self.turns = VecDeque::new();
        }
    }

    fn tell_large(&mut self, item: &Item, size_bytes: usize) {
        self.large_topics.insert(Arc::clone(&item.topic));
        let text = format!(
            "topic `{}`: item {} went out as an answer of {size_bytes} bytes; a client of the published Go SDK ends \
             at answers above {} bytes",
            item.topic,
            item.seq,
            wire::LARGE_ANSWER_BYTES
        );
        self.odd("large-answer", &text);
    }

    /// How many bytes of items wait in topics for this connection.
    pub(super) fn backlog_bytes(&self) -> u64 {
        self.open.values().map(Open::backlog_bytes).sum()
    }

    /// Ends all subscriptions, telling those that lag why.
    pub(super) fn cut_off(&mut self, text: &str, out: &mut Out) {
        self.odd("slow-reader", text);
        let lagging = self.open.values().filter(|open| open.backlog_bytes() > 0).take(MAX_CUT_OFF_ANSWERS);
        for open in lagging {
            out.answer(&wire::error(&wire::encode_str(&open.id), &wire::encode_error(text)));
        }
        while let Some((&token, _)) = self.open.first_key_value() {
            self.close(token);
        }
    }
}

impl Open {
    fn backlog_bytes(&self) -> u64 {
        match &self.kind {
            Kind::Subscription(subscription) => subscription.topic.text_bytes() - subscription.seen_bytes,
            Kind::Barrier { .. } => 0,
        }
    }
}

impl Subscription {
    fn send(&mut self, item: &Arc<Item>, out: &mut Out) -> usize {
        self.seen_items += 1;
        self.seen_bytes += item.encoded.len() as u64;
        out.item(&self.id, item)
    }
}

impl Drop for Desk {
    /// However a connection ends, its requests end with it.
    fn drop(&mut self) {
        while let Some((&token, _)) = self.open.first_key_value() {
            self.close(token);
        }
        if let Some(home) = &self.home {
            self.hub.tell(home, || Seen::Gone { from: self.label });
        }
    }
}
