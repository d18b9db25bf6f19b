//! Requests under way, each a task of its own: a client that hangs up takes its connection with it and not the work, so
//! what has begun to be written is finished.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The tasks of a server.
#[derive(Debug, Clone)]
pub struct RequestTasks(Arc<watch::Sender<()>>);

impl Default for RequestTasks {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(())))
    }
}

impl RequestTasks {
    /// The work, begun. It goes on where nobody waits for its end.
    pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        let under_way = self.0.subscribe();
        tokio::spawn(async move {
            let done = work.await;
            drop(under_way);
            done
        })
    }

    /// Returns at a moment when no task is under way.
    pub async fn ended(&self) {
        self.0.closed().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn work_outlives_those_who_wait_for_it() {
        let tasks = RequestTasks::default();
        tasks.ended().await;
        let (done, told) = tokio::sync::oneshot::channel();
        let work = tasks.spawn(async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            done.send(()).unwrap();
        });
        drop(work);
        tasks.ended().await;
        assert_eq!(told.await, Ok(()));
    }
}
