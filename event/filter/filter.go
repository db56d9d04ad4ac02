// Package filter is the neutral form of a condition on events: what KQL is compiled to, and what each store renders
// in its own language. It has one evaluator in memory, so that "the same events" has one meaning.
//
// The types of fields follow event's table. A leaf on a field that an event lacks is false, so Not of it is true; a
// leaf on a list is true when any element satisfies it.
package filter

import "imwatch/event"

// Expr is a condition: one of And, Or, Not, All, None, Exists, Equal, Range, Pattern, CIDR, Words.
// Expressions are immutable and safe for concurrent use.
type Expr interface{ expr() }

type (
	// And is true when all of its parts are; with none it is true.
	And []Expr
	// Or is true when one of its parts is; with none it is false.
	Or []Expr
	// Not is true when X is not.
	Not struct{ X Expr }
	// All is true for every event.
	All struct{}
	// None is true for no event.
	None struct{}

	// Exists is true when the event has the field with at least one value.
	Exists struct{ Field Field }
	// Equal compares with one value, by the field's type: keyword by bytes, long and float by number, bool, ip by
	// address, date by the instant. Value holds the constant in the type of the field.
	Equal struct {
		Field Field
		Value event.Value
	}
	// Range is true for values between From and To; a nil end is open. By number, instant or address, or by bytes on
	// keyword.
	Range struct {
		Field                Field
		From, To             *event.Value
		FromClosed, ToClosed bool
	}
	// Pattern is a wildcard on keyword: '*' stands for any run of bytes; parts are what stands between the stars.
	// {"a","b"} is a*b; {"", ""} is *. On text it must match one of the words that Tokenize cuts, in lower case.
	Pattern struct {
		Field Field
		Parts []string
	}
	// CIDR is an address prefix on an ip field.
	CIDR struct {
		Field  Field
		Prefix string
	}
	// Words is a search in a text field for words as Tokenize cuts them: any of them (Phrase false) or all in order
	// side by side (Phrase true).
	Words struct {
		Field  Field
		Words  []string
		Phrase bool
	}
)

func (And) expr()     {}
func (Or) expr()      {}
func (Not) expr()     {}
func (All) expr()     {}
func (None) expr()    {}
func (Exists) expr()  {}
func (Equal) expr()   {}
func (Range) expr()   {}
func (Pattern) expr() {}
func (CIDR) expr()    {}
func (Words) expr()   {}

// Field names a field of the contract, or a free one (labels.*) for which ID is event.NoField and Type Keyword.
type Field struct {
	Name string
	ID   event.FieldID
	Type event.Type
	// Wild says that Name is a pattern, in which '*' stands for any run of bytes, and means every free field whose name
	// matches: nobody knows beforehand which there are. ID is event.NoField then.
	Wild bool
}

// FieldOf gives the field that a leaf looks at; false for what is no leaf.
func FieldOf(x Expr) (Field, bool) {
	switch x := x.(type) {
	case Exists:
		return x.Field, true
	case Equal:
		return x.Field, true
	case Range:
		return x.Field, true
	case Pattern:
		return x.Field, true
	case CIDR:
		return x.Field, true
	case Words:
		return x.Field, true
	}
	return Field{}, false
}
