// Package render makes the text of notifications from templates: one pack for each language, one template for each
// way of showing.
//
// What comes from events (keys, addresses, user agents) was written by strangers. So values are cleaned before a
// template sees them: control characters are gone, in WeCom's Markdown nothing can become a mention, a link or a tag,
// and HTML is escaped by html/template.
package render
