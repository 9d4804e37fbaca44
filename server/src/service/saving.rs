//! What creating and editing any document have in common: one transaction with its event.

use perennial::metadata::{Metadata, MetadataChange, MetadataError};
use serde_json::Value;

use super::{Engine, Refused};
use crate::rendering;
use crate::store::Scope;
use crate::store::document::{self, Document, Stored};

/// How an object is shown in its events.
pub(super) type Show<T> = fn(&T, bool) -> Value;

impl Engine {
    /// Saves a new document that nothing is told of.
    pub(super) async fn create_untold<T: Document + Clone>(
        &self,
        scope: &Scope,
        value: &T,
    ) -> Result<Stored<T>, Refused> {
        self.retrying(|| async move {
            let (mut tx, value) = (self.store.begin().await?, value.clone());
            let now = self.now();
            let stored = document::insert(&self.store, tx.connection(), scope, value, now).await?;
            tx.commit().await?;
            Ok(stored)
        })
        .await
    }

    /// Saves a new document with the event that tells of it.
    pub(super) async fn create<T: Document + Clone>(
        &self,
        scope: &Scope,
        value: &T,
        event: &str,
        show: Show<T>,
    ) -> Result<Stored<T>, Refused> {
        self.retrying(|| async move {
            let mut tx = self.store.begin().await?;
            let stored = document::insert(
                &self.store,
                tx.connection(),
                scope,
                value.clone(),
                self.now(),
            )
            .await?;
            let object = show(value, scope.livemode);
            self.emit(tx.connection(), scope, event, object, None)
                .await?;
            tx.commit().await?;
            Ok(stored)
        })
        .await
    }

    /// Reads a document, edits it by `edit` and saves it with the event that tells what changed. An
    /// edit that changes nothing saves nothing and tells nothing.
    pub(super) async fn change<T: Document + Clone + PartialEq>(
        &self,
        scope: &Scope,
        id: &str,
        event: &str,
        show: Show<T>,
        edit: impl Fn(&mut T) -> Result<(), Refused>,
    ) -> Result<Stored<T>, Refused> {
        let edit = &edit;
        self.retrying(|| async move {
            let mut tx = self.store.begin().await?;
            let found = document::load::<T>(tx.connection(), scope, id).await?;
            let mut stored = found.ok_or_else(|| Refused::not_found(T::KIND, id))?;
            let before = stored.value.clone();
            edit(&mut stored.value)?;
            if stored.value == before {
                return Ok(stored);
            }
            document::update(tx.connection(), scope, &mut stored).await?;
            let shown = show(&stored.value, scope.livemode);
            let before = show(&before, scope.livemode);
            let previous = rendering::previous_attributes(&before, &shown);
            self.emit(tx.connection(), scope, event, shown, previous)
                .await?;
            tx.commit().await?;
            Ok(stored)
        })
        .await
    }
}

/// Applies an edit of metadata.
pub(super) fn edit_metadata(
    metadata: &mut Metadata,
    change: Option<&MetadataChange>,
) -> Result<(), Refused> {
    let Some(change) = change else { return Ok(()) };
    metadata.change(change).map_err(|error| {
        let param = match &error {
            MetadataError::ValueTooLong { key } => format!("metadata[{key}]"),
            MetadataError::KeyTooLong | MetadataError::TooManyKeys => "metadata".to_owned(),
        };
        Refused::invalid(param, error.to_string())
    })
}

/// The metadata of a new object.
pub(super) fn new_metadata(change: Option<&MetadataChange>) -> Result<Metadata, Refused> {
    let mut metadata = Metadata::default();
    edit_metadata(&mut metadata, change)?;
    Ok(metadata)
}

/// Sets a field if the edit says so.
pub(super) fn set<T: Clone>(field: &mut T, change: Option<&T>) {
    if let Some(change) = change {
        field.clone_from(change);
    }
}
