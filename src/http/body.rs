//! The body of a request on its way in: how much is read of strangers and of known callers, how long it may take, how
//! much memory all bodies take together, and whether it was read to its end.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep_until};

/// Bytes that are read of a body before its sender is known. Some credentials stand in bodies; those bodies are short.
pub const OF_STRANGERS: usize = 16 << 10;

/// Why a body could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnreadBody {
    /// It has more bytes than its endpoint takes.
    #[error("the body is too large")]
    TooLarge,
    /// Its client takes too long to send it.
    #[error("the body came too slowly")]
    TooSlow,
    /// The bodies of other requests take all the memory that there is for them.
    #[error("too many bytes of bodies are under way: gatehouse.limits.bodies_bytes")]
    NoRoom,
    /// It ended too early, or was not what HTTP calls a body.
    #[error("the body could not be read")]
    Broken,
}

impl UnreadBody {
    /// The reason within an error of those who read bodies.
    #[must_use]
    pub fn of(error: &(dyn StdError + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(unread) = error.downcast_ref() {
                return *unread;
            }
            cause = error.source();
        }
        Self::Broken
    }
}

/// Bytes that give a body one more second to come in.
const FAIR_PACE: f64 = 65_536.0;

/// How all bodies are bounded together.
#[derive(Debug, Clone)]
pub struct BodyBounds {
    time: Duration,
    room: Arc<Semaphore>,
}

impl BodyBounds {
    /// Bodies that may take this long each, and as many bytes together.
    #[must_use]
    pub fn new(time: Duration, bytes: usize) -> Self {
        Self { time, room: Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))) }
    }

    /// The body within its bounds, and what shall be known of it afterwards. Its bytes count until both are gone.
    pub fn guard(&self, body: Body) -> (Body, BodyArrival) {
        self.guarded(body, false)
    }

    /// The same for a body that is written away as it comes, and so takes no memory, however long it is. It has its time
    /// anew with each piece, as long as it comes at a fair pace.
    pub fn guard_stream(&self, body: Body) -> (Body, BodyArrival) {
        self.guarded(body, true)
    }

    fn guarded(&self, body: Body, streamed: bool) -> (Body, BodyArrival) {
        let seen = Arc::new(ArrivalState { ended: AtomicBool::new(body.is_end_stream()), held: Mutex::default() });
        let guarded = GuardedBody {
            body,
            deadline: Instant::now() + self.time,
            time: self.time,
            streamed,
            patience: None,
            room: Arc::clone(&self.room),
            seen: Arc::clone(&seen),
        };
        (Body::new(guarded), BodyArrival(seen))
    }
}

/// What is known of a body that was handed on.
#[derive(Debug)]
pub struct BodyArrival(Arc<ArrivalState>);

#[derive(Debug)]
struct ArrivalState {
    ended: AtomicBool,
    /// Memory that is given back with this.
    held: Mutex<Option<OwnedSemaphorePermit>>,
}

impl BodyArrival {
    /// Whether the body was read to its end.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.0.ended.load(Ordering::Relaxed)
    }
}

struct GuardedBody {
    body: Body,
    deadline: Instant,
    time: Duration,
    streamed: bool,
    patience: Option<Pin<Box<Sleep>>>,
    room: Arc<Semaphore>,
    seen: Arc<ArrivalState>,
}

impl GuardedBody {
    /// What comes at a fair pace may go on coming: a large push over a slow line is an honest one.
    fn extend(&mut self, bytes: usize) {
        let share = u32::try_from(bytes).map_or(1.0, f64::from) / FAIR_PACE;
        self.deadline += Duration::from_secs_f64(share);
        if self.streamed {
            // What came fast is no credit for a stop that is as long.
            self.deadline = self.deadline.min(Instant::now() + self.time);
        }
        self.patience = None;
    }

    fn hold(&self, bytes: usize) -> Result<(), UnreadBody> {
        if self.streamed {
            return Ok(());
        }
        let permits = u32::try_from(bytes).map_err(|_| UnreadBody::NoRoom)?;
        let more = Arc::clone(&self.room).try_acquire_many_owned(permits).map_err(|_| UnreadBody::NoRoom)?;
        let mut held = self.seen.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match &mut *held {
            Some(held) => held.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

impl HttpBody for GuardedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) else {
            let deadline = this.deadline;
            ready!(this.patience.get_or_insert_with(|| Box::pin(sleep_until(deadline))).as_mut().poll(context));
            return Poll::Ready(Some(Err(UnreadBody::TooSlow.into())));
        };
        if matches!(frame, None | Some(Ok(_))) && this.body.is_end_stream() {
            this.seen.ended.store(true, Ordering::Relaxed);
        }
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                let held = frame.data_ref().map_or(Ok(()), |data| {
                    this.extend(data.len());
                    this.hold(data.len())
                });
                Some(held.map(|()| frame).map_err(Into::into))
            }
            Some(Err(error)) => Some(Err(error.into())),
            None => {
                this.seen.ended.store(true, Ordering::Relaxed);
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The beginning of a body, and what follows it.
#[derive(Debug)]
pub struct BegunBody {
    bytes: BytesMut,
    /// None where nothing follows.
    rest: Option<Body>,
}

impl BegunBody {
    /// Of a body of at most [`OF_STRANGERS`] bytes all, of a longer one its beginning, or nothing where its length
    /// shows from the start.
    ///
    /// # Errors
    /// Where the bytes cannot be had.
    pub async fn read(body: Body) -> Result<Self, UnreadBody> {
        let mut begun = Self { bytes: BytesMut::new(), rest: Some(body) };
        begun.on_to(OF_STRANGERS).await?;
        Ok(begun)
    }

    /// The whole body, where that was read.
    #[must_use]
    pub fn whole(&self) -> Option<Bytes> {
        self.rest.is_none().then(|| Bytes::copy_from_slice(&self.bytes))
    }

    /// The whole body, of at most so many bytes.
    ///
    /// # Errors
    /// Where it has more, or they cannot be had.
    pub async fn finish(mut self, most: usize) -> Result<Bytes, UnreadBody> {
        self.on_to(most).await?;
        if self.rest.is_some() || self.bytes.len() > most { Err(UnreadBody::TooLarge) } else { Ok(self.bytes.freeze()) }
    }

    /// The body as it was before anything of it was read.
    pub fn again(self) -> Body {
        let Some(rest) = self.rest else { return Body::from(self.bytes.freeze()) };
        if self.bytes.is_empty() {
            return rest;
        }
        Body::new(ReplayedBody { begun: Some(self.bytes.freeze()), rest })
    }

    /// Reads until the end, or until there are more bytes than `most`.
    async fn on_to(&mut self, most: usize) -> Result<(), UnreadBody> {
        while let Some(rest) = &mut self.rest {
            let announced = usize::try_from(rest.size_hint().lower()).unwrap_or(usize::MAX);
            if self.bytes.len().saturating_add(announced) > most {
                return Ok(());
            }
            match std::future::poll_fn(|context| Pin::new(&mut *rest).poll_frame(context)).await {
                Some(Ok(frame)) => self.bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
                Some(Err(error)) => return Err(UnreadBody::of(&error)),
                None => self.rest = None,
            }
        }
        Ok(())
    }
}

/// What was read of a body, and then the rest.
struct ReplayedBody {
    begun: Option<Bytes>,
    rest: Body,
}

impl HttpBody for ReplayedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.begun.take() {
            Some(begun) => Poll::Ready(Some(Ok(Frame::data(begun)))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.begun.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let begun = self.begun.as_ref().map_or(0, |begun| begun.len() as u64);
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + begun);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + begun);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use futures_util::{StreamExt as _, stream};

    use super::*;

    fn chunks(chunks: Vec<Vec<u8>>) -> Body {
        Body::from_stream(stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>)))
    }

    async fn read(body: Body) -> Result<Bytes, UnreadBody> {
        to_bytes(body, usize::MAX).await.map_err(|error| UnreadBody::of(&error))
    }

    #[tokio::test]
    async fn bodies_take_no_more_memory_than_there_is_for_them() {
        let bounds = BodyBounds::new(Duration::from_secs(5), 10);
        let (first, arrived) = bounds.guard(Body::from("seven77"));
        assert!(!arrived.has_ended());
        assert_eq!(read(first).await.unwrap(), "seven77");
        assert!(arrived.has_ended());
        let second = || bounds.guard(Body::from("four"));
        assert_eq!(read(second().0).await, Err(UnreadBody::NoRoom));
        // The request of the first one is answered.
        drop(arrived);
        assert_eq!(read(second().0).await.unwrap(), "four");
        assert!(bounds.guard(Body::empty()).1.has_ended());
    }

    #[tokio::test]
    async fn a_body_has_its_time() {
        let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let (body, arrived) = BodyBounds::new(Duration::from_millis(50), 10).guard(never);
        assert_eq!(read(body).await, Err(UnreadBody::TooSlow));
        assert!(!arrived.has_ended());
    }

    #[tokio::test]
    async fn a_body_that_is_written_away_takes_no_memory_and_may_not_stop() {
        let bounds = BodyBounds::new(Duration::from_millis(50), 10);
        let (body, _arrived) = bounds.guard_stream(Body::from("more than ten bytes"));
        assert_eq!(read(body).await.unwrap(), "more than ten bytes");
        let begun = stream::once(async { Ok::<_, std::io::Error>(vec![0; 10 << 20]) });
        let stops = Body::from_stream(begun.chain(stream::pending()));
        assert_eq!(read(bounds.guard_stream(stops).0).await, Err(UnreadBody::TooSlow));
    }

    #[tokio::test]
    async fn of_a_long_body_the_beginning_is_read_and_nothing_is_lost() {
        let long = || chunks(vec![vec![1; OF_STRANGERS], vec![2; 10], vec![3; 10]]);
        let begun = BegunBody::read(long()).await.unwrap();
        assert_eq!((begun.whole(), begun.bytes.len()), (None, OF_STRANGERS + 10));
        assert_eq!(read(begun.again()).await.unwrap().len(), OF_STRANGERS + 20);
        let begun = BegunBody::read(long()).await.unwrap();
        assert_eq!(begun.finish(OF_STRANGERS + 20).await.unwrap().len(), OF_STRANGERS + 20);
        let begun = BegunBody::read(long()).await.unwrap();
        assert_eq!(begun.finish(OF_STRANGERS + 19).await, Err(UnreadBody::TooLarge));

        let announced = BegunBody::read(Body::from(vec![1; OF_STRANGERS + 1])).await.unwrap();
        assert!(announced.bytes.is_empty(), "its length says enough");
        let short = BegunBody::read(Body::from("short")).await.unwrap();
        assert_eq!(short.whole().unwrap(), "short");
        assert_eq!(short.finish(4).await, Err(UnreadBody::TooLarge));
    }
}
