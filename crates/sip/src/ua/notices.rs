//! The order of NOTIFYs to one receiver: one at a time, so that none overtakes another, and of
//! what waits meanwhile only the newest counts.

/// What is on its way to a receiver and what follows it.
#[derive(Debug, Default)]
pub(crate) enum Notices<T> {
    /// Nothing.
    #[default]
    Idle,
    /// A NOTIFY awaits its answer.
    Sent {
        /// What is told next.
        next: Option<T>,
    },
}

impl<T> Notices<T> {
    /// There is something to tell: it is given back if it can be sent now.
    pub(crate) fn tell(&mut self, news: T) -> Option<T> {
        match self {
            Self::Idle => {
                *self = Self::Sent { next: None };
                Some(news)
            }
            Self::Sent { next } => {
                *next = Some(news);
                None
            }
        }
    }

    /// What follows the NOTIFY under way.
    pub(crate) fn next(&self) -> Option<&T> {
        match self {
            Self::Idle => None,
            Self::Sent { next } => next.as_ref(),
        }
    }

    /// The NOTIFY under way is answered; what is to be sent next.
    pub(crate) fn answered(&mut self) -> Option<T> {
        let Self::Sent { next } = self else {
            return None;
        };
        let news = next.take();
        if news.is_none() {
            *self = Self::Idle;
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_the_newest_next() {
        let mut notices = Notices::default();
        assert_eq!(notices.tell(1), Some(1));
        assert_eq!(notices.tell(2), None);
        assert_eq!(notices.tell(3), None);
        assert_eq!(notices.answered(), Some(3));
        assert_eq!(notices.answered(), None);
        assert_eq!(notices.tell(4), Some(4));
    }
}
