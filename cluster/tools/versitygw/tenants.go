package main

import (
	"context"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3err"
)

// refused says why no object may have a key; nil: it may.
func refused(key *string) error {
	given := backend.GetStringFromPtr(key)
	// Where the store keeps its temporary files and uploads.
	clean := path.Clean("/" + given)
	if clean == "/.sgwtmp" || strings.HasPrefix(clean, "/.sgwtmp/") {
		return s3err.GetAPIError(s3err.ErrAccessDenied)
	}
	// XML has no such characters: a listing shows others in their place, and what it names cannot be deleted.
	unlisted := func(r rune) bool { return unicode.IsControl(r) || r == '\ufffd' || r == '\ufffe' || r == '\uffff' }
	if !utf8.ValidString(given) || strings.ContainsFunc(given, unlisted) {
		return s3err.GetAPIError(s3err.ErrBadRequest)
	}
	return nil
}

// A bucket's policy decides alone, the owner's own rights included: one that is wrong shuts its owner out, and
// one for everybody opens the bucket to those without keys. So policies are the administrator's.

func (g *guarded) PutBucketPolicy(ctx context.Context, bucket string, policy []byte) error {
	if !isAdministrator(ctx) {
		return s3err.GetAPIError(s3err.ErrAccessDenied)
	}
	return g.Backend.PutBucketPolicy(ctx, bucket, policy)
}

func (g *guarded) DeleteBucketPolicy(ctx context.Context, bucket string) error {
	if !isAdministrator(ctx) {
		return s3err.GetAPIError(s3err.ErrAccessDenied)
	}
	return g.Backend.DeleteBucketPolicy(ctx, bucket)
}

func isAdministrator(ctx context.Context) bool {
	account, ok := ctx.Value("account").(auth.Account)
	return ok && account.Role == auth.RoleAdmin
}
