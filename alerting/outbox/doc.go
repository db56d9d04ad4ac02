// Package outbox keeps what is to be told to whom, and what became of it, in the store: one document a notification.
//
// An entry is written as pending before the alert that caused it is taken off the bus, and is sent or failed once the
// provider has answered. Its id follows from what is told and to whom, so deciding the same thing again makes no
// second entry. Whoever sends an entry claims it first by a conditional write that ends by itself, so two alerters
// never send it at the same time and a crashed one blocks it for no longer than the claim.
//
// It leaves out when to send and how.
package outbox

import "imwatch/event"

// Indices is the pattern of the indices that hold entries, one a month of the alert's start.
const Indices = event.NotifyIndices

// Dataset is the event.dataset of entries.
const Dataset = event.DatasetNotify
