package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"meower/core"
)

// maxBody is the largest body, in bytes.
const maxBody = 64 << 10

// decode reads the body as a T, a struct whose fields have json and validate
// tags. CodeTooLarge, CodeUnsupportedMediaType; CodeInvalidSyntax for what is
// not a JSON object or lacks a required key; CodeInvalidDatatype for a wrong
// type or a value outside its bounds. Unknown keys are ignored.
func decode[T any](c *call) (T, error) {
	var into T
	if err := checkMediaType(c.r); err != nil {
		return into, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return into, core.Err(core.CodeTooLarge)
		}
		return into, syntaxError("could not be read") // the client stopped in between
	}
	return into, decodeBytes(body, &into)
}

// checkMediaType refuses a body that says that it is not JSON.
func checkMediaType(r *http.Request) error {
	header := r.Header.Get("Content-Type")
	if header == "" {
		return nil
	}
	// The parameters do not matter, not even malformed ones: JSON is UTF-8.
	mediaType, _, err := mime.ParseMediaType(header)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) || mediaType != "application/json" {
		return core.Err(core.CodeUnsupportedMediaType)
	}
	return nil
}

func syntaxError(reason string) error {
	return &core.Error{Code: core.CodeInvalidSyntax, Details: map[string]string{"body": reason}}
}

// decodeBytes fills the struct that into points to.
func decodeBytes(body []byte, into any) error {
	if !utf8.Valid(body) {
		return syntaxError("is not UTF-8")
	}
	if !json.Valid(body) {
		return syntaxError("is not JSON")
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(body, &given); err != nil || given == nil {
		return syntaxError("is not a JSON object")
	}
	if err := fillFields(given, reflect.ValueOf(into).Elem()); err != nil {
		return err
	}
	return checkBounds(into)
}

// fillFields sets each field from the key of exactly its name. It goes field by
// field, since encoding/json would take keys of another case and stop at the
// first wrong type.
func fillFields(given map[string]json.RawMessage, into reflect.Value) error {
	missing, wrong := map[string]string{}, map[string]string{}
	for i := range into.NumField() {
		field := into.Type().Field(i)
		name := jsonName(field)
		raw, present := given[name]
		if !present {
			if isRequired(field) {
				missing[name] = "is required"
			}
			continue
		}
		target := into.Field(i).Addr().Interface()
		if _, own := target.(json.Unmarshaler); !own && string(raw) == "null" {
			wrong[name] = "must be " + typeName(field.Type)
			continue
		}
		if err := json.Unmarshal(raw, target); err != nil {
			wrong[name] = typeReason(err, field.Type)
		}
	}
	if len(missing) > 0 {
		return &core.Error{Code: core.CodeInvalidSyntax, Details: missing}
	}
	if len(wrong) > 0 {
		return &core.Error{Code: core.CodeInvalidDatatype, Details: wrong}
	}
	return nil
}

// jsonName returns the key of a field.
func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

func isRequired(field reflect.StructField) bool {
	first, _, _ := strings.Cut(field.Tag.Get("validate"), ",")
	return first == "required"
}

// badValue is what a field's own UnmarshalJSON says of a value; the text is for
// the client.
type badValue string

// Error implements error.
func (b badValue) Error() string { return string(b) }

func typeReason(err error, t reflect.Type) string {
	var bad badValue
	if errors.As(err, &bad) {
		return string(bad)
	}
	return "must be " + typeName(t)
}

// typeName says in a client's words what a field wants.
func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	default:
		return "of another type"
	}
}

// reply is an answer that is not simply JSON with status 200.
type reply struct {
	status      int
	contentType string // empty: body is sent as JSON
	body        any    // string where contentType is set
}

// text is an answer for people.
func text(s string) reply {
	return reply{status: http.StatusOK, contentType: "text/plain; charset=utf-8", body: s}
}

// buffers are reused between answers; those that grew large are left to the
// garbage collector.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const maxPooledBuffer = 64 << 10

// answer sends what a handler returned.
func (a *API) answer(c *call, value any) {
	if value == nil {
		c.w.WriteHeader(http.StatusNoContent)
		return
	}
	out, special := value.(reply)
	if !special {
		out = reply{status: http.StatusOK, body: value}
	}
	buffer := buffers.Get().(*bytes.Buffer)
	buffer.Reset()
	defer func() {
		if buffer.Cap() <= maxPooledBuffer {
			buffers.Put(buffer)
		}
	}()
	header := c.w.Header()
	if out.contentType != "" {
		header.Set("Content-Type", out.contentType)
		buffer.WriteString(out.body.(string))
	} else {
		encoder := json.NewEncoder(buffer)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(out.body); err != nil {
			a.fail(c, err)
			return
		}
		header.Set("Content-Type", "application/json")
	}
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Length", strconv.Itoa(buffer.Len()))
	c.w.WriteHeader(out.status)
	if c.r.Method == http.MethodHead {
		return
	}
	if _, err := c.w.Write(buffer.Bytes()); err != nil {
		a.log.DebugContext(c.ctx, "answer not sent", slog.String("request", c.requestID), slog.Any("error", err))
	}
}
