-- Lists of tax rates are narrowed by whether prices contain them. A merchant has few rates: the index of
-- their order serves it.
alter table tax_rate add column inclusive bigint;
update tax_rate set inclusive = case when body like '%"inclusive":true%' then 1 else 0 end;
