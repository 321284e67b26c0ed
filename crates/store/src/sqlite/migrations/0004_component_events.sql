-- What a passed webhook object is told goes where the object led then, sealed by the owner. Null: to
-- the endpoint as it is.
ALTER TABLE deliveries ADD COLUMN destination BLOB;
