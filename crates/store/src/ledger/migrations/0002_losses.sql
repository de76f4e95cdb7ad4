-- What the translation into the provider's dialect could not carry over: a JSON object from fields of the request, as
-- RFC 6901 pointers, to `dropped`, `approximated` or `emulated`; NULL where nothing was lost.
ALTER TABLE usage_record ADD COLUMN losses TEXT;
