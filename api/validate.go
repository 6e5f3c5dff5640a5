package api

import (
	"errors"
	"reflect"
	"strings"

	"github.com/go-playground/validator/v10"

	"meower/core"
)

// validate checks bounds. Beside the library's own tags, which count code
// points, it knows "username" and "visible": not only white space.
var validate = newValidator()

func newValidator() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(jsonName)
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	must(v.RegisterValidation("username", func(field validator.FieldLevel) bool { return isUsername(field.Field().String()) }))
	must(v.RegisterValidation("visible", func(field validator.FieldLevel) bool {
		return strings.TrimSpace(field.Field().String()) != ""
	}))
	return v
}

func isUsername(name string) bool {
	for i := range len(name) {
		if !isNameByte(name[i]) {
			return false
		}
	}
	return name != "" && len(name) <= core.MaxUsernameLength
}

// checkBounds refuses values outside their bounds with CodeInvalidDatatype.
func checkBounds(value any) error {
	err := validate.Struct(value)
	if err == nil {
		return nil
	}
	var found validator.ValidationErrors
	if !errors.As(err, &found) {
		return err
	}
	details := make(map[string]string, len(found))
	for _, f := range found {
		// The key is there, so what "required" complains of is a zero value, and
		// only of a text that says that it is empty.
		if f.Tag() == "required" && f.Kind() != reflect.String {
			continue
		}
		details[f.Field()] = boundReason(f)
	}
	if len(details) == 0 {
		return nil
	}
	return &core.Error{Code: core.CodeInvalidDatatype, Details: details}
}

// boundReason says in a client's words what is wrong with a value.
func boundReason(f validator.FieldError) string {
	unit := ""
	if f.Kind() == reflect.String {
		unit = " characters"
	}
	switch f.Tag() {
	case "required", "visible":
		return "must not be empty"
	case "username":
		return "must be 1 to 20 of A-Z, a-z, 0-9, _, - and ."
	case "min":
		return "must be at least " + f.Param() + unit
	case "max":
		return "must be at most " + f.Param() + unit
	default:
		return "is not valid"
	}
}
