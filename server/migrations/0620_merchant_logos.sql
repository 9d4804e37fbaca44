-- The logo that a merchant prints on documents: a PNG or JPEG file in base64. Beside the merchant, not in it, because
-- every request reads the merchant and few make a document. It is the same in test and live mode, as the brand is.
create table merchant_logo (
    merchant text not null,
    image text not null,
    primary key (merchant)
);
