// Package redact takes out of events what may stand in none: tokens, passwords, phone numbers and bodies of messages by
// default, and what rules name. Where asked, it does the same to the originals that dead letters keep.
package redact
