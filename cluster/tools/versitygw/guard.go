package main

import (
	"context"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// guarded keeps a request inside its bucket's folder. VersityGW v1.8.0 checks names in paths, but joins
// what comes in a body or a query to a path as it is: with keys of "delete objects" and ids of uploads
// like "../../other" one tenant could delete, write and read what is another's, the accounts included.
//
// It also takes away what lets a tenant make data that nobody can delete any more.
type guarded struct{ backend.Backend }

// VersityGW makes ids of uploads like this one; they are names of folders.
var uploadID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func checkUpload(id *string) error {
	given := backend.GetStringFromPtr(id)
	if uploadID.MatchString(given) {
		return nil
	}
	return s3err.GetNoSuchUploadErr(given)
}

func (g guarded) DeleteObjects(
	ctx context.Context, input *s3.DeleteObjectsInput,
) (s3response.DeleteResult, error) {
	for _, object := range input.Delete.Objects {
		key := backend.GetStringFromPtr(object.Key)
		if !utils.IsObjectNameValid(key) || strings.ContainsRune(key, 0) {
			return s3response.DeleteResult{}, s3err.GetAPIError(s3err.ErrBadRequest)
		}
	}
	return g.Backend.DeleteObjects(ctx, input)
}

func (g guarded) CompleteMultipartUpload(
	ctx context.Context, input *s3.CompleteMultipartUploadInput,
) (s3response.CompleteMultipartUploadResult, string, error) {
	if err := checkUpload(input.UploadId); err != nil {
		return s3response.CompleteMultipartUploadResult{}, "", err
	}
	return g.Backend.CompleteMultipartUpload(ctx, input)
}

func (g guarded) AbortMultipartUpload(ctx context.Context, input *s3.AbortMultipartUploadInput) error {
	if err := checkUpload(input.UploadId); err != nil {
		return err
	}
	return g.Backend.AbortMultipartUpload(ctx, input)
}

func (g guarded) ListParts(
	ctx context.Context, input *s3.ListPartsInput,
) (s3response.ListPartsResult, error) {
	if err := checkUpload(input.UploadId); err != nil {
		return s3response.ListPartsResult{}, err
	}
	return g.Backend.ListParts(ctx, input)
}

func (g guarded) UploadPart(ctx context.Context, input *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	if err := checkUpload(input.UploadId); err != nil {
		return nil, err
	}
	return g.Backend.UploadPart(ctx, input)
}

func (g guarded) UploadPartCopy(
	ctx context.Context, input *s3.UploadPartCopyInput,
) (s3response.CopyPartResult, error) {
	if err := checkUpload(input.UploadId); err != nil {
		return s3response.CopyPartResult{}, err
	}
	return g.Backend.UploadPartCopy(ctx, input)
}

func (g guarded) PutObjectLockConfiguration(context.Context, string, []byte) error {
	return s3err.GetAPIError(s3err.ErrNotImplemented)
}
